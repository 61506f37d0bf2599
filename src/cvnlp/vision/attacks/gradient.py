"""Attacks that follow the gradient of the cross entropy: FGSM and projected gradient descent (PGD).

They ascend the log-odds of the wrong classes, which rise with the cross entropy along the same direction.
"""

from functools import partial

import torch
from torch import Tensor, nn

from cvnlp.params.adversarial_training import SPAN
from cvnlp.params.attacks import FgsmOptions, PgdOptions
from cvnlp.vision.attacks.evaluations import evaluate, is_correct
from cvnlp.vision.attacks.losses import log_odds
from cvnlp.vision.models.ball import Ball


def fgsm(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: FgsmOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """The fast gradient sign method: one step of eps from the image along the gradient (Goodfellow et al. 2015)."""
    predicted, _, gradient = evaluate(network, images, partial(log_odds, labels=labels))
    attacked = ball.project(images, images + ball.eps * ball.steepest(gradient))
    return torch.where((predicted == labels).view(-1, 1, 1, 1), attacked, images)


def pgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: PgdOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """Projected gradient descent (Madry et al. 2018). An image stops as soon as it is misclassified."""
    return _pgd(network, images, labels, ball, options, generator, targeted=False)


def targeted_pgd(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    ball: Ball,
    options: PgdOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """PGD towards the classes `targets`, int64 (B,). An image stops as soon as it is classified as its target."""
    return _pgd(network, images, targets, ball, options, generator, targeted=True)


def _pgd(
    network: nn.Module,
    images: Tensor,
    classes: Tensor,
    ball: Ball,
    options: PgdOptions,
    generator: torch.Generator,
    *,
    targeted: bool,
) -> Tensor:
    """Away from `classes`, or `targeted`: towards them."""
    attacked = images.clone()
    rows = (is_correct(network, images, classes) != targeted).nonzero()[:, 0]
    for _ in range(options.restarts):
        if not len(rows):
            break
        starts = ball.random(images, generator) if options.random_start else images
        attacked[rows] = _follow_gradient(
            network, images[rows], classes[rows], starts[rows], ball.of(rows), options, targeted=targeted
        )
        rows = rows[is_correct(network, attacked[rows], classes[rows]) != targeted]
    return attacked


def _follow_gradient(
    network: nn.Module,
    images: Tensor,
    classes: Tensor,
    points: Tensor,
    ball: Ball,
    options: PgdOptions,
    *,
    targeted: bool,
) -> Tensor:
    """Move `points`, of the balls around `images`, by `steps`, or until the attack has succeeded."""
    step_size = (options.step_size or SPAN / options.steps) * (-1 if targeted else 1)
    active = torch.arange(len(images), device=images.device)
    for _ in range(options.steps):
        found = evaluate(network, points[active], partial(log_odds, labels=classes[active]))
        unbroken = (found.predicted == classes[active]) != targeted
        active = active[unbroken]
        if not len(active):
            break
        balls = ball.of(active)
        moved = points[active] + step_size * balls.eps * ball.steepest(found.gradient[unbroken])
        points[active] = balls.project(images[active], moved)
    return points
