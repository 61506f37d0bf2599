"""Networks that learn without gradients, in a training made for those that learn by them."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from cvnlp.params.runs import Train


@runtime_checkable
class Learner(Protocol):
    """A network that learns from each batch by a rule of its own."""

    least_epochs: int  # after which all of it has learned

    def learn(self, inputs: Tensor, targets: Tensor, /, *, epoch: int) -> None: ...


class NoGradient(torch.optim.Optimizer):
    """Stands in the optimiser's place for a Learner: Lightning counts its steps, and would save nothing without."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network.parameters(), {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return closure() if closure else None


def check_learner(network: Learner, options: Train) -> None:
    """ValueError if `options` of the training leave a part of the network untrained, or mean gradients."""
    if 0 < options.epochs < network.least_epochs:
        raise ValueError(
            f"train.epochs: {options.epochs} is too few: this network learns one stage an epoch and has "
            f"{network.least_epochs}; take {network.least_epochs} or more, or 0"
        )
    if options.average != "none":
        raise ValueError(
            f"train.average: {options.average} averages what gradients change, and this network learns without; "
            "take none"
        )
