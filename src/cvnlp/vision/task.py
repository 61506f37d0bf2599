"""How a classifier is trained: cross entropy on augmented pictures, accuracy on the validation split."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.learning import Learner
from cvnlp.networks import FASTEST
from cvnlp.task import BaseTask
from cvnlp.vision.batches import augment, class_weights


class Task(BaseTask):
    class_weights: Tensor | None = None

    def __init__(self, network: nn.Module, options: dict[str, Any]) -> None:
        super().__init__(network.to(memory_format=FASTEST), options)

    def on_fit_start(self) -> None:
        if self.options["class_weights"] == "balanced":
            folder = self.trainer.datamodule.folder  # type: ignore[attr-defined]
            self.class_weights = class_weights(folder).to(self.device)

    def inputs(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return augment(batch[0], **self.options["augment"]).contiguous(memory_format=FASTEST)

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
