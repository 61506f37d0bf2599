"""Losses of attacks: outputs (B, classes) and classes (B,) -> (B,), larger the nearer an image is to a wrong class."""

import torch
import torch.nn.functional as F
from torch import Tensor

DLR_CLASSES = 4  # that the targeted DLR loss compares: with fewer classes, both DLR losses are margins
SMALL = 1e-12  # a denominator of 0, of equal logits


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Its gradient is 0 in float32 as soon as the probability of the label rounds to 1: attacks use `log_odds`."""
    return F.cross_entropy(logits, labels, reduction="none")


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-odds of all other classes against the label.

    The cross entropy is its softplus: both rise together and have gradients of the same direction, but this one's does
    not vanish.
    """
    own, others = _own_and_others(logits, labels)
    return others.logsumexp(1) - own


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The largest logit of another class minus that of the label: above 0 for misclassified images."""
    own, others = _own_and_others(logits, labels)
    return others.amax(1) - own


def targeted_margin(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The logit of the target minus that of the label."""
    return _logit(logits, targets) - _logit(logits, labels)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio (Croce and Hein 2020): the margin relative to the first logit minus the third.

    It is the same for all multiples of the logits. With fewer than DLR_CLASSES classes it is the margin itself.
    """
    if logits.shape[1] < DLR_CLASSES:
        return margin(logits, labels)
    largest = logits.topk(3).values
    return margin(logits, labels) / (largest[:, 0] - largest[:, 2] + SMALL)


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Targeted difference of logits ratio (Croce and Hein 2020).

    The margin of the target, relative to the first logit minus the mean of the third and the fourth. With fewer than
    DLR_CLASSES classes it is the margin of the target itself.
    """
    if logits.shape[1] < DLR_CLASSES:
        return targeted_margin(logits, labels, targets)
    largest = logits.topk(4).values
    return targeted_margin(logits, labels, targets) / (largest[:, 0] - largest[:, 2:].mean(1) + SMALL)


def _own_and_others(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The logit of the label (B,), and the logits (B, classes) with -inf in its place."""
    return _logit(logits, labels), logits.scatter(1, labels[:, None], -torch.inf)


def _logit(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0]
