"""Weights of training images in the loss: by the frequency of their class, and for images that pruning skips."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.params.runs import Prune

FINAL_SHARE = 0.125  # of the epochs, the last ones, in which pruning draws from all images alike (Qin et al. 2024)


def class_weights(folder: Path) -> Tensor:
    """Inverse frequency of each class among the training labels, float (classes,): 1 on average over the labels.

    0 for a class without training images.
    """
    labels = np.asarray(prepared.load_array(folder, "train_labels"))
    counts = np.bincount(labels, minlength=len(prepared.read_facts(folder, prepared.VisionFacts).classes))
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)) * (counts > 0)
    return torch.from_numpy(weights).float()


def prune(losses: np.ndarray, options: Prune, *, epoch: int, epochs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The images of an epoch, bool (N,), and their weights in the loss, (N,), which add up to N over these images.

    Dynamic data pruning after InfoBatch (Qin et al. 2024). There an easy image has a loss below the mean; here easy
    images are a fixed share, so that all epochs have the same length and the schedule's steps are known beforehand.

    `losses` (N,): loss of each image when it was last trained on, infinite before. Of the share `easy` with the lowest
    losses, a random share `skip` is left out; the other easy images get a higher weight instead. In the first epoch,
    without any losses, and in the last ones the same number is left out of all images.
    """
    count = len(losses)
    skipped = round(count * options.easy * options.skip)
    by_loss = 0 < epoch < round((1 - FINAL_SHARE) * epochs)
    candidates = np.argsort(losses, kind="stable")[: round(count * options.easy)] if by_loss else np.arange(count)
    kept, weights = np.ones(count, dtype=bool), np.ones(count, dtype=np.float32)
    kept[np.random.default_rng((seed, epoch, 1)).permutation(candidates)[:skipped]] = False
    weights[candidates] = len(candidates) / max(1, len(candidates) - skipped)
    return kept, weights
