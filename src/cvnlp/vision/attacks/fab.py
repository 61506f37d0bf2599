"""FAB (Croce and Hein 2020), targeted: small perturbations by projections on linearised decision boundaries."""

from functools import partial

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import FabOptions
from cvnlp.vision.attacks.evaluations import correct_rows, evaluate, is_correct
from cvnlp.vision.attacks.losses import targeted_margin
from cvnlp.vision.attacks.targets import targets_of
from cvnlp.vision.models.ball import Ball

OVERSHOOT = 1.05  # of each projection, to end beyond the boundary
BACK = 0.9  # towards which fraction of a perturbation that succeeded the search returns
BIAS = 0.1  # largest weight of the projection of the image itself, against that of the current point
NEWTON_STEPS = 20


def fab_t(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: FabOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """Towards the most probable wrong classes in turn; restarts begin at random points of half the size.

    An image stops as soon as a perturbation within the ball has been found.
    """
    attacked, rows = images.clone(), correct_rows(network, images, labels)
    half = Ball(ball.norm, ball.eps / 2)
    for targets in targets_of(network, images, labels, options.targets):
        for restart in range(options.restarts):
            if not len(rows):
                return attacked
            starts = half.random(images, generator) if restart else images
            attacked[rows] = _search(
                network, images[rows], labels[rows], targets[rows], starts[rows], ball.of(rows), options.steps
            )
            rows = rows[is_correct(network, attacked[rows], labels[rows])]
    return attacked


def _search(
    network: nn.Module, images: Tensor, labels: Tensor, targets: Tensor, points: Tensor, ball: Ball, steps: int
) -> Tensor:
    """Misclassified points within the balls; for images without one the last points, projected onto the balls."""
    result, active = images.clone(), torch.arange(len(images), device=images.device)
    for _ in range(steps):
        clean, own, balls = images[active], labels[active], ball.of(active)
        points = _approach_boundary(network, clean, own, targets[active], points, balls)
        result[active] = balls.project(clean, points)
        wrong = ~is_correct(network, points, own)
        outside = ~(wrong & balls.contains(clean, points))
        points = torch.where(wrong.view(-1, 1, 1, 1), clean + BACK * (points - clean), points)
        active, points = active[outside], points[outside]
        if not len(active):
            break
    return result


def _approach_boundary(
    network: nn.Module, images: Tensor, labels: Tensor, targets: Tensor, points: Tensor, ball: Ball
) -> Tensor:
    """A mean of the projections of points and images onto the linearised boundary, a little beyond it."""
    loss = partial(targeted_margin, labels=labels, targets=targets)
    _, margins, gradient = evaluate(network, points, loss)
    rise = -margins + (gradient * (points - images)).sum((1, 2, 3))
    of_points, of_images = to_plane(points, gradient, -margins, ball), to_plane(images, gradient, rise, ball)
    near, far = ball.sizes(points, points + of_points), ball.sizes(images, images + of_images)
    weight = (near / (near + far).clamp(min=1e-8)).clamp(max=BIAS).view(-1, 1, 1, 1)
    moved = (points + OVERSHOOT * of_points) * (1 - weight) + (images + OVERSHOOT * of_images) * weight
    return torch.where(moved.isfinite(), moved, points).clamp(0, 1)


def to_plane(points: Tensor, normals: Tensor, rises: Tensor, ball: Ball) -> Tensor:
    """The smallest changes in the norm of the ball, with pixels in [0, 1], whose products with `normals` are `rises`.

    Where that is impossible, the changes that come nearest to it. All pixels move along the steepest direction until
    they reach the end of the range. The product is then a concave, piecewise linear function of the distance, so that
    Newton's method rises to the exact distance in a few steps.
    """
    direction = ball.steepest(normals * rises.sign().view(-1, 1, 1, 1))
    room = torch.where(direction > 0, 1 - points, points)
    speed, slope = direction.abs(), normals.abs()
    distance = torch.zeros_like(rises).view(-1, 1, 1, 1)
    for _ in range(NEWTON_STEPS):
        moved = torch.minimum(distance * speed, room)
        missing = rises.abs() - (slope * moved).sum((1, 2, 3))
        gain = (slope * speed * (moved < room)).sum((1, 2, 3))
        step = torch.where((gain > 0) & (missing > 0), missing / gain, 0.0)
        if not step.any():
            break
        distance = distance + step.view(-1, 1, 1, 1)
    return direction.sign() * torch.minimum(distance * speed, room)
