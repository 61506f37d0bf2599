"""How a classifier is trained: cross entropy on augmented pictures, accuracy on the validation split."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.training import BaseTask
from cvnlp.vision.batches import augment, class_weights


@runtime_checkable
class Learner(Protocol):
    """A network that learns from each batch by a rule of its own, without gradients."""

    least_epochs: int  # after which all of it has learned

    def learn(self, images: Tensor, labels: Tensor, *, epoch: int) -> None: ...


class NoGradient(torch.optim.Optimizer):
    """Stands in the optimiser's place for a Learner: Lightning counts its steps, and would save nothing without."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network.parameters(), {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return closure() if closure else None


class Task(BaseTask):
    class_weights: Tensor | None = None

    def __init__(self, network: nn.Module, options: dict[str, Any]) -> None:
        if isinstance(network, Learner):
            _check_learner(network, options)
        # the order of the pixels in memory that convolutions are fastest in, on the CPU and on the GPU
        super().__init__(network.to(memory_format=torch.channels_last), options)

    def on_fit_start(self) -> None:
        if self.options["class_weights"] == "balanced":
            folder = self.trainer.datamodule.folder  # type: ignore[attr-defined]
            self.class_weights = class_weights(folder).to(self.device)

    def configure_optimizers(self) -> Any:
        return NoGradient(self.network) if isinstance(self.network, Learner) else super().configure_optimizers()

    def inputs(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return augment(batch[0], **self.options["augment"]).contiguous(memory_format=torch.channels_last)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor | None:
        """The loss before this step; None where no gradient is wanted, which Lightning takes for an answer."""
        images, labels = self.inputs(batch), batch[1]
        logits = self.network(images).float()
        smoothing = self.options["label_smoothing"]
        loss = F.cross_entropy(logits, labels, weight=self.class_weights, label_smoothing=smoothing)
        self.tally("train_loss", loss * len(labels), len(labels))
        if isinstance(self.network, Learner):
            self.network.learn(images, labels, epoch=self.current_epoch)
            return None
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        logits = self.evaluated(images).float()
        self.tally("validation_nll", F.cross_entropy(logits, labels, reduction="sum"), len(labels))
        self.tally("validation_accuracy", (logits.argmax(1) == labels).sum(), len(labels))


def _check_learner(network: Learner, options: dict[str, Any]) -> None:
    if 0 < options["epochs"] < network.least_epochs:
        raise ValueError(
            f"train.epochs: {options['epochs']} is too few: this network learns one stage an epoch and has "
            f"{network.least_epochs}; take {network.least_epochs} or more, or 0"
        )
    if options["average"] != "none":
        raise ValueError(
            f"train.average: {options['average']} averages what gradients change, and this network learns without; "
            "take none"
        )
