"""Training of networks that learn without gradients (neocognitron, n-grams)."""

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from cvnlp.params.runs import Train
from cvnlp.training.base_task import BaseTask


@runtime_checkable
class GradientFreeNetwork(Protocol):
    """A network that learns from each batch by a rule of its own.

    `min_epochs`: the number of epochs after which all of its parts are trained.
    """

    min_epochs: int

    def learn(self, inputs: Tensor, targets: Tensor, /, *, epoch: int) -> None: ...


class GradientFree(BaseTask):
    """A task without an optimiser, to which a half adds `training_step`."""

    network: Any  # a GradientFreeNetwork

    def can_record_steps(self) -> bool:
        return False

    def configure_optimizers(self) -> None:
        """No optimiser: Lightning puts one that does nothing in its place, and so counts steps for its checkpoints."""


def check_options(network: GradientFreeNetwork, options: Train) -> None:
    """ValueError if `options` leave a part of the network untrained, or average weights."""
    if 0 < options.epochs < network.min_epochs:
        raise ValueError(
            f"train.epochs: {options.epochs} is too few: this network trains one stage per epoch and has "
            f"{network.min_epochs}; take {network.min_epochs} or more, or 0"
        )
    if options.average != "none":
        raise ValueError(
            f"train.average: {options.average} averages weights over gradient steps, and this network takes none; "
            "take none"
        )
