"""Schedules of the learning rate over the steps of a training."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from cvnlp.params.optimiser import Optimiser

ONE_CYCLE_START = 25  # one_cycle begins at lr / 25, as in torch and fastai


def make_scheduler(optimiser: Optimizer, options: Optimiser, *, steps: int, epoch_steps: int) -> LRScheduler:
    """The schedule of `options` for a training of `steps` steps, `epoch_steps` in each epoch.

    It is stepped after every step; `plateau` after every epoch, with the validation score.
    """
    if options.schedule == "plateau":
        return _plateau(optimiser, options)
    if options.schedule == "one_cycle":
        return _one_cycle(optimiser, options, steps)
    if options.schedule == "exponential":
        factor = exponential_decay(options.factor or 1.0, options.hold_epochs or 1, epoch_steps, options.final)
        return LambdaLR(optimiser, factor)
    return LambdaLR(optimiser, warmup_and_decay(options.schedule, options.warmup, steps, options.final))


def warmup_and_decay(name: str, warmup: float, steps: int, final: float = 0.0) -> Callable[[int], float]:
    """Step -> factor of the learning rate: linear warm-up over the share `warmup` of `steps`, then decay to `final`.

    `name` of the decay: constant, linear or cosine.
    """
    rising = round(warmup * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        left = 1 - (step - rising) / max(1, steps - rising)
        decayed = {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}[name]
        return final + (1 - final) * decayed

    return factor


def exponential_decay(factor: float, hold_epochs: int, epoch_steps: int, final: float = 0.0) -> Callable[[int], float]:
    """Step -> factor of the learning rate: 1 for `hold_epochs`, then multiplied by `factor` every epoch."""
    return lambda step: max(final, factor ** max(0, step // epoch_steps + 1 - hold_epochs))


def _plateau(optimiser: Optimizer, options: Optimiser) -> ReduceLROnPlateau:
    lowest = options.final * optimiser.param_groups[0]["lr"]
    factor = options.factor or 1.0
    return ReduceLROnPlateau(optimiser, factor=factor, patience=0, threshold=0.0, min_lr=lowest, eps=0.0)


def _one_cycle(optimiser: Optimizer, options: Optimiser, steps: int) -> OneCycleLR:
    """The schedule of torch, in which `final` is reached after the last step, as in the other schedules.

    The lowest momentum is by default 0.1 below the momentum (0.85 and 0.95 in Smith and Topin 2018), at least half.
    """
    group = optimiser.param_groups[0]
    momentum = group["betas"][0] if "betas" in group else group["momentum"]
    return OneCycleLR(
        optimiser,
        max_lr=group["lr"],
        total_steps=steps + 1,
        pct_start=(options.warmup * steps + 1) / (steps + 1),
        cycle_momentum=momentum > 0,
        base_momentum=options.lowest_momentum or max(momentum - 0.1, momentum / 2),
        max_momentum=momentum,
        div_factor=ONE_CYCLE_START,
        final_div_factor=1 / (ONE_CYCLE_START * options.final) if options.final else math.inf,
    )
