"""Optimisers, schedules of the learning rate, and averages of the weights."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from cvnlp.params.runs import Optimiser
from cvnlp.training.muon import Muon

CYCLE_START = 1 / 25  # of lr, where one_cycle begins; as torch and fastai have it


def make_optimiser(network: nn.Module, options: Optimiser, *, lr: float) -> torch.optim.Optimizer:
    """AdamW, SGD (with Nesterov momentum unless `nesterov: false`) or Muon.

    AdamW and SGD are fused: on the CPU a fused step is several times as fast.
    """
    if options.name == "muon":
        return Muon(
            network,
            lr=lr,
            kernel_lr=options.kernel_lr or lr / 2,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )
    parameters: Any = list(network.parameters()) if options.decay_all else decay_groups(network)
    common: dict[str, Any] = {"lr": lr, "weight_decay": options.weight_decay, "fused": True}
    if options.name == "adamw":
        first, second = options.betas or (0.9, 0.999)
        return torch.optim.AdamW(parameters, betas=(first, second), eps=options.eps or 1e-8, **common)
    nesterov = options.momentum > 0 if options.nesterov is None else options.nesterov
    return torch.optim.SGD(parameters, momentum=options.momentum, nesterov=nesterov, **common)


def decay_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Weights of at least two dimensions, which decay, and all others (biases, normalisation), which do not."""
    parameters = list(network.parameters())
    kept = {"params": [one for one in parameters if one.ndim < 2], "weight_decay": 0.0}
    return [group for group in ({"params": [one for one in parameters if one.ndim >= 2]}, kept) if group["params"]]


def schedule(name: str, warmup: float, steps: int, final: float = 0.0) -> Callable[[int], float]:
    """The factor of the learning rate at a step: up over the share `warmup`, then along `name` to `final`."""
    rising = round(warmup * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        left = 1 - (step - rising) / max(1, steps - rising)
        fallen = {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}[name]
        return final + (1 - final) * fallen

    def cycle(step: int) -> float:
        start = CYCLE_START if step < warmup * steps else final
        return start + (1 - start) * height(step, warmup, steps)

    return cycle if name == "one_cycle" else factor


def staircase(factor: float, hold_epochs: int, epoch_steps: int, final: float = 0.0) -> Callable[[int], float]:
    """The factor of the learning rate at a step: 1 for `hold_epochs`, then `factor` times as much with every epoch."""
    return lambda step: max(final, factor ** max(0, step // epoch_steps + 1 - hold_epochs))


def height(step: int, warmup: float, steps: int) -> float:
    """How high the cycle stands at a step: 0 at both ends, 1 after the share `warmup`, along half a cosine each."""
    peak = warmup * steps
    share = step / peak if step < peak else (steps - step) / (steps - peak)
    return 0.5 - 0.5 * math.cos(math.pi * share)


class OneCycle(LambdaLR):
    """The learning rate along `factor`, the momentum (AdamW: beta 1) the other way: down to `lowest` and up again.

    The lowest is, unless told, a tenth less, as 0.85 and 0.95 of the published cycles, but at least half.
    """

    def __init__(
        self,
        optimiser: torch.optim.Optimizer,
        factor: Callable[[int], float],
        *,
        lowest: float | None,
        warmup: float,
        steps: int,
    ) -> None:
        group = optimiser.param_groups[0]
        self.highest = group["betas"][0] if "betas" in group else group["momentum"]
        self.drop = self.highest - (lowest or max(self.highest - 0.1, self.highest / 2))
        self.warmup, self.steps = warmup, steps
        super().__init__(optimiser, factor)

    def get_lr(self) -> list[float | Tensor]:
        momentum = self.highest - self.drop * height(self.last_epoch, self.warmup, self.steps)
        for group in self.optimizer.param_groups:
            group.update({"betas": (momentum, group["betas"][1])} if "betas" in group else {"momentum": momentum})
        return super().get_lr()


def make_scheduler(
    optimiser: torch.optim.Optimizer, options: Optimiser, *, steps: int, epoch_steps: int
) -> LRScheduler:
    """What sets the learning rate, and for one_cycle the momentum, before each of `steps` steps.

    A `plateau` asks to be shown the validation score after each epoch instead.
    """
    name, warmup, final = options.schedule, options.warmup, options.final
    factor_of_decay, hold_epochs = options.factor or 1.0, options.hold_epochs or 1  # given where they are used
    if name == "plateau":
        least = final * optimiser.param_groups[0]["lr"]
        return ReduceLROnPlateau(optimiser, factor=factor_of_decay, patience=0, threshold=0.0, min_lr=least, eps=0.0)
    if name == "exponential":
        return LambdaLR(optimiser, staircase(factor_of_decay, hold_epochs, epoch_steps, final))
    factor = schedule(name, warmup, steps, final)
    if name == "one_cycle":
        return OneCycle(optimiser, factor, lowest=options.lowest_momentum, warmup=warmup, steps=steps)
    return LambdaLR(optimiser, factor)


@contextmanager
def scaled(optimiser: torch.optim.Optimizer, factor: float) -> Iterator[None]:
    """The learning rate is `factor` times what it was, and afterwards the same again."""
    groups = [group for group in optimiser.param_groups if "lr" in group]
    rates = [group["lr"] for group in groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate * factor
    yield
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate


def make_average(network: nn.Module, *, average: str, decay: float | None) -> AveragedModel | None:
    """A copy of the network whose weights are a mean of those it is shown: exponential (ema) or plain (all others)."""
    if average == "none":
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay) if decay else get_swa_multi_avg_fn())


def stalled(scores: Sequence[float], interval: int) -> bool:
    """Whether the last score, of which less is better, is worse than one of more than `interval` before it.

    So NT-ASGD's published program has it; the pseudocode of the paper compares with the last `interval` themselves
    (Merity et al. 2018).
    """
    earlier = scores[: -1 - interval]
    return bool(earlier) and scores[-1] > min(earlier)


def renew_statistics(network: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Compute batch normalisation's means and variances anew from `inputs`; without such layers none is read.

    Those of the averaged networks are not those of their average (Izmailov et al. 2018). Chance stays where it was.
    """
    with torch.random.fork_rng():
        update_bn(inputs, network)
