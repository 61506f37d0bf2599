"""How a classifier is trained: cross entropy on augmented pictures, accuracy on the validation split."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.networks import MEMORY_FORMAT
from cvnlp.params.runs import VisionTrain
from cvnlp.training.base_task import BaseTask
from cvnlp.training.gradient_free import Learner
from cvnlp.vision.batches import Batches, augment, class_weights, mirrored, prune


class Task(BaseTask):
    options: VisionTrain
    class_weights: Tensor | None = None
    losses: Tensor  # of every training picture when it was last read, if some are left out

    def __init__(self, network: nn.Module, options: VisionTrain) -> None:
        super().__init__(network.to(memory_format=MEMORY_FORMAT), options)

    def setup(self, stage: str) -> None:
        """Before a state is loaded, in which the losses stand."""
        if self.options.prune:
            count = len(prepared.load_array(self.trainer.datamodule.folder, "train_labels"))  # type: ignore[attr-defined]
            self.register_buffer("losses", torch.full((count,), torch.inf))

    def train_batches(self, half: Any, folder: Path, *, seed: int, epoch: int) -> Batches:
        batches: Batches = super().train_batches(half, folder, seed=seed, epoch=epoch)
        if self.options.augment.flip == "alternating":
            batches.mirrored = mirrored(len(batches.labels), seed=seed, epoch=epoch)
        if self.options.prune:
            read, weights = prune(
                self.losses.cpu().numpy(), self.options.prune, seed=seed, epoch=epoch, epochs=self.options.epochs
            )
            batches.order = batches.order[read[batches.order]]
            self.read, self.weights = torch.from_numpy(batches.order), torch.from_numpy(weights)
        return batches

    def on_fit_start(self) -> None:
        if self.options.class_weights == "balanced":
            folder = self.trainer.datamodule.folder  # type: ignore[attr-defined]
            self.class_weights = class_weights(folder).to(self.device)

    def inputs(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return augment(batch[0], self.options.augment).contiguous(memory_format=MEMORY_FORMAT)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int = 0) -> Tensor | None:
        """The loss before this step; None where no gradient is wanted, which Lightning takes for an answer."""
        images, labels = self.inputs(batch), batch[1]
        logits = self.network(images).float()
        loss = self._weighed(logits, labels, batch_idx) if self.options.prune else self._cost(logits, labels)
        self.tally("train_loss", loss * len(labels), len(labels))
        if isinstance(self.network, Learner):
            self.network.learn(images, labels, epoch=self.current_epoch)
            return None
        return loss

    def _cost(self, logits: Tensor, labels: Tensor, **options: Any) -> Tensor:
        smoothing = self.options.label_smoothing
        return F.cross_entropy(logits, labels, weight=self.class_weights, label_smoothing=smoothing, **options)

    def _weighed(self, logits: Tensor, labels: Tensor, number: int) -> Tensor:
        """The mean in which pictures count for those that are left out; notes what each has cost."""
        size = self.options.batch_size
        pictures = self.read[number * size : (number + 1) * size]
        costs = self._cost(logits, labels, reduction="none")
        self.losses[pictures.to(self.losses.device)] = costs.detach()
        weights = self.weights[pictures].to(costs.device)
        counted = weights if self.class_weights is None else weights * self.class_weights[labels]
        return (costs * weights).sum() / counted.sum()

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        logits = self.evaluated(images).float()
        self.tally("validation_nll", F.cross_entropy(logits, labels, reduction="sum"), len(labels))
        self.tally("validation_accuracy", (logits.argmax(1) == labels).sum(), len(labels))
