"""Tests of robustness next to the attacks within eps: targeted, rotated and shifted, corrupted, and certified."""

import numpy as np
import torch
from torch import Tensor

from cvnlp import files
from cvnlp.params.attacks import Certificate, Targeted
from cvnlp.params.option_types import number_key
from cvnlp.vision.attacks.collected import Subject
from cvnlp.vision.attacks.corruptions import corruption_accuracies
from cvnlp.vision.attacks.smoothing import certified_accuracy, certify
from cvnlp.vision.attacks.spatial import spatial_accuracy
from cvnlp.vision.attacks.targeted import success_by_pair, success_of_least_likely
from cvnlp.vision.batches import evenly_spaced

Scores = dict[str, float]


def attack_otherwise(subject: Subject, classes: list[str]) -> Scores:
    """The scores of the tests that the options ask for, on the first batch; their tables go into the folder."""
    options, (images, labels) = subject.options, subject.first()
    scores: Scores = {}
    if options.targeted and subject.with_gradient:
        scores |= _targeted(subject, images, labels, options.targeted, classes)
    if options.spatial:
        chosen = _chosen(images, options.spatial.images)
        robust, _ = spatial_accuracy(subject.network, images[chosen], labels[chosen], options.spatial)
        scores["accuracy_spatial"] = float(robust.float().mean())
    if options.corruptions:
        chosen = _chosen(images, options.corruptions.images)
        table = corruption_accuracies(subject.network, images[chosen], labels[chosen], options.corruptions.names)
        files.write_table(subject.folder / "corruptions.csv", table)
        scores["accuracy_corrupted"] = float(table["accuracy"].mean())
    if options.certificate:
        scores |= _certified(subject, images, labels, options.certificate)
    return scores


def _chosen(images: Tensor, count: int) -> Tensor:
    """Row numbers of at most `count` evenly spaced images."""
    return torch.from_numpy(evenly_spaced(len(images), count)).to(images.device)


def _targeted(subject: Subject, images: Tensor, labels: Tensor, options: Targeted, classes: list[str]) -> Scores:
    chosen = _chosen(images, options.images)
    images, labels, norm = images[chosen], labels[chosen], subject.options.norm
    table = success_by_pair(subject.network, images, labels, options, norm=norm, classes=classes)
    files.write_table(subject.folder / "targeted.csv", table)
    least = success_of_least_likely(subject.network, images, labels, options, norm=norm)
    mean = {"targeted_success": float(np.average(table["success"], weights=table["images"]))} if len(table) else {}
    return mean | {"least_likely_success": least}


def _certified(subject: Subject, images: Tensor, labels: Tensor, options: Certificate) -> Scores:
    chosen = _chosen(images, options.images)
    of_images = certify(subject.network, images[chosen], labels[chosen], options)
    table = certified_accuracy(of_images, options.radii)
    files.write_table(subject.folder / "certificates.csv", of_images)
    files.write_table(subject.folder / "certified.csv", table)
    pairs = zip(table["radius"], table["accuracy"], strict=True)
    return {f"certified_accuracy_{number_key(radius)}": float(accuracy) for radius, accuracy in pairs}
