"""Targeted attacks: how often an image of class A can be turned into class B."""

import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import Norm, PgdOptions, Targeted
from cvnlp.vision.attacks.evaluations import correct_rows, outputs_of
from cvnlp.vision.attacks.gradient import targeted_pgd
from cvnlp.vision.inference import most_probable
from cvnlp.vision.models.ball import Ball

MOST_CLASSES = 20  # towards which images are turned; of more classes only the least likely one is a target


def success_by_pair(
    network: nn.Module, images: Tensor, labels: Tensor, options: Targeted, *, norm: Norm, classes: list[str]
) -> pd.DataFrame:
    """Columns actual, target (names of classes), images and success, the share of images classified as the target.

    Only images that are classified correctly are attacked. No rows for more than MOST_CLASSES classes.
    """
    rows, ball = [], Ball(norm, options.eps)
    chosen = correct_rows(network, images, labels)
    images, labels = images[chosen], labels[chosen]
    for target in range(len(classes) if len(classes) <= MOST_CLASSES else 0):
        others = (labels != target).nonzero()[:, 0]
        reached = _reached(network, images[others], torch.full_like(others, target), ball, options)
        rows += _by_class(labels[others], reached, classes, classes[target])
    return pd.DataFrame(rows, columns=["actual", "target", "images", "success"])


def success_of_least_likely(
    network: nn.Module, images: Tensor, labels: Tensor, options: Targeted, *, norm: Norm
) -> float:
    """The share of the correctly classified images that can be turned into their least probable class."""
    chosen = correct_rows(network, images, labels)
    if not len(chosen):
        return 0.0
    targets = outputs_of(network, images[chosen]).argmin(1)
    return float(_reached(network, images[chosen], targets, Ball(norm, options.eps), options).float().mean())


def _reached(network: nn.Module, images: Tensor, targets: Tensor, ball: Ball, options: Targeted) -> Tensor:
    """Bool (B,): whether each image is classified as its target after the attack."""
    steps, generator = PgdOptions(steps=options.steps), torch.Generator().manual_seed(1)
    attacked = targeted_pgd(network, images, targets, ball, steps, generator=generator)
    return most_probable(outputs_of(network, attacked)) == targets


def _by_class(labels: Tensor, reached: Tensor, classes: list[str], target: str) -> list[tuple[str, str, int, float]]:
    found = []
    for label in labels.unique().tolist():
        of_class = reached[labels == label]
        found.append((classes[label], target, len(of_class), float(of_class.float().mean())))
    return found
