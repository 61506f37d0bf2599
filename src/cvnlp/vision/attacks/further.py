"""Tests of robustness next to the attacks within eps: targeted, rotated and shifted, corrupted, and certified."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp import files
from cvnlp.params.attacks import Certificate, Corruption, Norm, Spatial, Targeted, VisionAttack
from cvnlp.vision.attacks.corruptions import corruption_accuracies
from cvnlp.vision.attacks.smoothing import certify, certified_accuracy
from cvnlp.vision.attacks.spatial import spatial_accuracy
from cvnlp.vision.attacks.targeted import success_by_pair, success_of_least_likely
from cvnlp.vision.batches import evenly_spaced

Scores = dict[str, float]


def attack_otherwise(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    classes: list[str],
    options: VisionAttack,
    folder: Path,
    *,
    gradients: bool,
) -> Scores:
    """The scores of the tests that the options ask for; their tables go into `folder`."""
    scores: Scores = {}
    if options.targeted and gradients:
        chosen = torch.from_numpy(evenly_spaced(len(images), options.targeted.images))
        scores |= _targeted(network, images[chosen], labels[chosen], options.targeted, options.norm, classes, folder)
    if options.spatial:
        scores |= _spatial(network, images, labels, options.spatial, folder)
    if options.corruptions:
        scores |= _corrupted(network, images, labels, options.corruptions, folder)
    if options.certificate:
        chosen = torch.from_numpy(evenly_spaced(len(images), options.certificate.images))
        scores |= _certified(network, images[chosen], labels[chosen], options.certificate, folder)
    return scores


def _targeted(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    options: Targeted,
    norm: Norm,
    classes: list[str],
    folder: Path,
) -> Scores:
    table = success_by_pair(network, images, labels, options, norm=norm, classes=classes)
    files.write_table(folder / "targeted.csv", table)
    least = success_of_least_likely(network, images, labels, options, norm=norm)
    mean = {"targeted_success": float(np.average(table["success"], weights=table["images"]))} if len(table) else {}
    return mean | {"least_likely_success": least}
