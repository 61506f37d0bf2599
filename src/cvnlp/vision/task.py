"""How a classifier is trained: cross entropy on augmented pictures, accuracy on the validation split."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.training import BaseTask
from cvnlp.vision.batches import augment


class Task(BaseTask):
    def __init__(self, network: nn.Module, options: dict[str, Any]) -> None:
        # the order of the pixels in memory that convolutions are fastest in, on the CPU and on the GPU
        super().__init__(network.to(memory_format=torch.channels_last), options)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        images = augment(images, **self.options["augment"]).contiguous(memory_format=torch.channels_last)
        logits = self.network(images).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.options["label_smoothing"])
        self.tally("train_loss", loss * len(labels), len(labels))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        logits = self.network(images).float()
        self.tally("validation_nll", F.cross_entropy(logits, labels, reduction="sum"), len(labels))
        self.tally("validation_accuracy", (logits.argmax(1) == labels).sum(), len(labels))
