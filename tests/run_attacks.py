"""Attacks with the settings of the tests."""

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import (
    ApgdOptions,
    AttackTable,
    FabOptions,
    FgsmOptions,
    Norm,
    PgdOptions,
    RandomOptions,
    SquareOptions,
    TargetedApgdOptions,
)
from cvnlp.vision.attacks import ATTACKS
from cvnlp.vision.attacks.evaluations import is_correct
from cvnlp.vision.models.ball import Ball

EPS: dict[Norm, list[float]] = {"linf": [0.05, 0.15, 0.3], "l2": [0.5, 1.0, 2.0]}
STEPS = 8
OPTIONS = AttackTable(
    random=RandomOptions(),
    fgsm=FgsmOptions(),
    pgd=PgdOptions(steps=STEPS),
    apgd_ce=ApgdOptions(steps=STEPS),
    apgd_dlr=ApgdOptions(steps=STEPS),
    apgd_t=TargetedApgdOptions(steps=STEPS, targets=2),
    fab_t=FabOptions(steps=STEPS, targets=2),
    square=SquareOptions(queries=100),
)


def run(
    name: str,
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball | float,
    seed: int = 1,
    *,
    table: AttackTable = OPTIONS,
) -> Tensor:
    """The attack `name` in a ball, which a number makes one of linf."""
    ball = ball if isinstance(ball, Ball) else Ball("linf", ball)
    generator = torch.Generator().manual_seed(seed)
    return ATTACKS[name].function(network, images, labels, ball, getattr(table, name), generator=generator)


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return is_correct(network, images, labels).float().mean().item()
