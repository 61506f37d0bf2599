"""The classes towards which targeted attacks perturb images."""

import torch
from torch import Tensor, nn

from cvnlp.vision.attacks.evaluations import outputs_of


def targets_of(network: nn.Module, images: Tensor, labels: Tensor, count: int) -> list[Tensor]:
    """At most `count` tensors (B,): of each image the most probable wrong class, then the second one, and so on."""
    outputs = outputs_of(network, images).nan_to_num(0.0)
    wrong = outputs.scatter(1, labels[:, None], -torch.inf)
    ranked = wrong.argsort(dim=1, descending=True, stable=True)[:, :-1]  # the label is the last
    return list(ranked.unbind(1))[:count]
