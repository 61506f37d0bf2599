"""The smallest eps at which an attack succeeds, for each image, by bisection."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import Norm
from cvnlp.vision.attacks.evaluations import is_correct
from cvnlp.vision.models.ball import Ball

BallAttack = Callable[[nn.Module, Tensor, Tensor, Ball], Tensor]  # network, images, classes, balls -> attacked images


class Smallest(NamedTuple):
    """`eps` (B,): inf where none was found; `attacked` (B, C, H, W): images perturbed by so much."""

    eps: Tensor
    attacked: Tensor


def smallest_eps(
    network: nn.Module,
    images: Tensor,
    classes: Tensor,
    attacked: Tensor,
    attack: BallAttack,
    *,
    norm: Norm,
    halvings: int,
    low: Tensor | None = None,
    targeted: bool = False,
) -> Smallest:
    """Search between `low` (B,), or 0, and the size of the perturbation of each of the `attacked` images.

    An image that is not misclassified there (`targeted`: not classified as its class) is searched no further. Each of
    `halvings` attacks is made on a batch of balls with an eps for each image; a perturbation that succeeds bounds the
    smallest eps by its own size.
    """
    sizes = Ball(norm, 0.0).sizes
    succeeded = is_correct(network, attacked, classes) == targeted
    high = torch.where(succeeded, sizes(images, attacked), torch.inf)
    low = torch.zeros_like(high) if low is None else torch.minimum(low, high)
    best = torch.where(succeeded.view(-1, 1, 1, 1), attacked, images)
    rows = (succeeded & (high > low)).nonzero()[:, 0]
    for _ in range(halvings if len(rows) else 0):
        eps = (low[rows] + high[rows]) / 2
        tried = attack(network, images[rows], classes[rows], Ball(norm, eps.view(-1, 1, 1, 1)))
        hit = is_correct(network, tried, classes[rows]) == targeted
        best[rows[hit]] = tried[hit]
        high[rows[hit]] = torch.minimum(eps, sizes(images[rows], tried))[hit]
        low[rows[~hit]] = eps[~hit]
    return Smallest(high, best)
