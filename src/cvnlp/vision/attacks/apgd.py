"""Auto-PGD (Croce and Hein 2020): projected gradient ascent with momentum, whose step size adapts to each image."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import ApgdOptions, Norm, TargetedApgdOptions
from cvnlp.vision.attacks.evaluations import Evaluation, correct_rows, evaluate, is_correct
from cvnlp.vision.attacks.losses import dlr, log_odds, targeted_dlr
from cvnlp.vision.attacks.targets import targets_of
from cvnlp.vision.models.ball import Ball

FIRST_STEP = 2.0  # in units of eps
MOMENTUM = 0.75  # weight of the new step, against that of the last one
# of the steps: until the first checkpoint, by how much each further interval is shorter, and the shortest one
FIRST_INTERVAL, SHORTER, SHORTEST = 0.22, 0.03, 0.06
RISES = 0.75  # share of the steps since the last checkpoint in which the loss has to rise

# outputs (B, classes), labels (B,), and for a targeted loss targets (B,) -> (B,)
Loss = Callable[..., Tensor]


def apgd_ce(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: ApgdOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """On the cross entropy, as log-odds: both rise together, so that the steps are the same."""
    return _attack(network, images, [labels[:, None]], log_odds, ball, options, generator)


def apgd_dlr(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: ApgdOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """On the difference of logits ratio; with fewer than four classes on the margin."""
    return _attack(network, images, [labels[:, None]], dlr, ball, options, generator)


def apgd_t(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: TargetedApgdOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """On the targeted difference of logits ratio, towards the most probable wrong classes in turn."""
    goals = [torch.stack([labels, targets], 1) for targets in targets_of(network, images, labels, options.targets)]
    return _attack(network, images, goals, targeted_dlr, ball, options, generator)


def _attack(
    network: nn.Module,
    images: Tensor,
    goals: list[Tensor],
    loss: Loss,
    ball: Ball,
    options: ApgdOptions,
    generator: torch.Generator,
) -> Tensor:
    """`goals`: in turn the arguments (B, n) of the loss next to the outputs, of which the first is the label."""
    attacked, labels = images.clone(), goals[0][:, 0]
    rows = correct_rows(network, images, labels)
    for goal in goals:
        for _ in range(options.restarts):
            if not len(rows):
                return attacked
            starts = ball.random(images, generator)
            attacked[rows] = _ascend(
                network, images[rows], goal[rows], starts[rows], ball.of(rows), steps=options.steps, loss=loss
            )
            rows = rows[is_correct(network, attacked[rows], labels[rows])]
    return attacked


def _ascend(
    network: nn.Module, images: Tensor, goals: Tensor, points: Tensor, ball: Ball, *, steps: int, loss: Loss
) -> Tensor:
    """The points of the largest loss on the way from `points`; misclassified ones for the images that have them."""
    result = points.clone()
    search = _Search.start(images, goals, points, ball)
    checkpoints = _checkpoints(steps)
    for step in range(steps + 1):
        if step > 0:
            search.move(ball.norm, momentum=step > 1)
        found = evaluate(network, search.points, lambda outputs: loss(outputs, *search.goals.unbind(1)))
        search.record(found)
        correct = found.predicted == search.goals[:, 0]
        result[search.rows] = torch.where(_per_image(correct), search.best_points, search.points)
        if not correct.any():
            break
        search.keep(correct)
        if step in checkpoints:
            search.adapt_step_sizes(checkpoints[step])
    return result


@dataclass
class _Search:
    """The images that are still classified correctly: each field has one entry for each of them."""

    rows: Tensor  # numbers of the images
    images: Tensor
    goals: Tensor
    eps: Tensor
    step_sizes: Tensor
    points: Tensor
    last_points: Tensor
    best_points: Tensor
    gradient: Tensor
    best_gradient: Tensor
    losses: Tensor
    best_losses: Tensor
    checked_losses: Tensor  # the best losses at the last checkpoint
    rises: Tensor  # of the loss since the last checkpoint
    halved: Tensor  # bool: the step size was halved at the last checkpoint

    @classmethod
    def start(cls, images: Tensor, goals: Tensor, points: Tensor, ball: Ball) -> "_Search":
        count = len(images)
        eps = torch.as_tensor(ball.eps, dtype=images.dtype, device=images.device).expand(count, 1, 1, 1)
        none, zero = images.new_full((count,), -torch.inf), torch.zeros_like(images)
        return cls(
            torch.arange(count, device=images.device),
            *(images, goals, eps, FIRST_STEP * eps),
            *(points, points, points, zero, zero),
            *(none, none, none, images.new_zeros(count), images.new_ones(count, dtype=torch.bool)),
        )

    def keep(self, kept: Tensor) -> None:
        if not kept.all():
            for field in fields(self):
                setattr(self, field.name, getattr(self, field.name)[kept])

    def move(self, norm: Norm, *, momentum: bool) -> None:
        """One step along the gradient, mixed with the last step."""
        ball, change = Ball(norm, self.eps), self.points - self.last_points
        moved = ball.project(self.images, self.points + self.step_sizes * ball.steepest(self.gradient))
        if momentum:
            moved = ball.project(self.images, self.points + MOMENTUM * (moved - self.points) + (1 - MOMENTUM) * change)
        self.last_points, self.points = self.points, moved

    def record(self, found: Evaluation) -> None:
        """The loss and the gradient at `points`; they are the best ones if the loss has its maximum there."""
        losses = found.losses.nan_to_num(-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        self.rises = self.rises + (losses > self.losses)
        self.losses, self.gradient = losses, found.gradient
        better = losses > self.best_losses
        self.best_losses = torch.where(better, losses, self.best_losses)
        self.best_points = torch.where(_per_image(better), self.points, self.best_points)
        self.best_gradient = torch.where(_per_image(better), self.gradient, self.best_gradient)

    def adapt_step_sizes(self, interval: int) -> None:
        """Halve the step size, and restart from the best point, of images whose loss rises no longer."""
        stuck = ~self.halved & (self.best_losses <= self.checked_losses)
        self.halved = (self.rises <= RISES * interval) | stuck
        self.checked_losses, self.rises = self.best_losses, torch.zeros_like(self.rises)
        halved = _per_image(self.halved)
        self.step_sizes = torch.where(halved, self.step_sizes / 2, self.step_sizes)
        self.points = torch.where(halved, self.best_points, self.points)
        self.gradient = torch.where(halved, self.best_gradient, self.gradient)


def _checkpoints(steps: int) -> dict[int, int]:
    """The steps after which the step size is adapted, each with the number of steps since the last one."""
    interval, shorter, shortest = (max(int(share * steps), 1) for share in (FIRST_INTERVAL, SHORTER, SHORTEST))
    step, checkpoints = interval, {}
    while step <= steps:
        checkpoints[step] = interval
        interval = max(interval - shorter, shortest)
        step += interval
    return checkpoints


def _per_image(values: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
