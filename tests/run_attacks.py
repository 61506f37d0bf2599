"""Attacks with the settings of the tests."""

import torch
from torch import Tensor, nn

from cvnlp.vision.attacks import ATTACKS, AttackConfig

EPS = [0.05, 0.15, 0.3]
STEPS = 8


def run(name: str, network: nn.Module, images: Tensor, labels: Tensor, eps: float, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return ATTACKS[name](network, images, labels, AttackConfig(eps, STEPS), generator=generator)


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return (network(images).argmax(1) == labels).float().mean().item()
