"""Training of an image classifier: cross entropy on augmented images, accuracy on the validation split."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.networks import MEMORY_FORMAT
from cvnlp.params.runs import VisionTrain
from cvnlp.training.base_task import BaseTask
from cvnlp.training.gradient_free import GradientFree, check_options
from cvnlp.vision.batches import (
    Batches,
    DeviceBatches,
    ImageBatch,
    count_images,
    train_batches,
    validation_batches,
)
from cvnlp.vision.training.augmentation import alternating_flips, augment
from cvnlp.vision.training.sample_weights import class_weights, prune


class ClassifierTask(BaseTask):
    """Batches, loss and validation, with or without gradients.

    `losses` float (N,), with pruning: the loss of each training image when it was last trained on; `sample_weights`
    float (N,): the weight of each in the current epoch. `background`: the label of the background class, if any.
    """

    options: VisionTrain
    class_weights: Tensor | None = None
    background: int | None = None
    losses: Tensor
    sample_weights: Tensor

    def __init__(self, network: nn.Module, options: VisionTrain, *, folder: Path, seed: int) -> None:
        super().__init__(network.to(memory_format=MEMORY_FORMAT), options, folder=folder, seed=seed)

    def setup(self, stage: str) -> None:
        """Register the losses before a checkpoint is loaded, of which they are a part."""
        if self.options.prune:
            count = count_images(self.folder, "train")
            self.register_buffer("losses", torch.full((count,), torch.inf))
            self.register_buffer("sample_weights", torch.ones(count), persistent=False)

    def on_fit_start(self) -> None:
        self.background = prepared.read_facts(self.folder, VisionFacts).background
        if self.options.class_weights == "balanced":
            self.class_weights = class_weights(self.folder).to(self.device)

    def train_batches(self, epoch: int) -> Batches | DeviceBatches:
        kept, flipped = None, None
        if self.options.augment.flip == "alternating":
            flipped = alternating_flips(count_images(self.folder, "train"), seed=self.seed, epoch=epoch)
        if self.options.prune:
            losses, epochs = self.losses.cpu().numpy(), self.options.epochs
            kept, weights = prune(losses, self.options.prune, epoch=epoch, epochs=epochs, seed=self.seed)
            self.sample_weights.copy_(torch.from_numpy(weights))
        batches = train_batches(self.folder, self.options, seed=self.seed, epoch=epoch, kept=kept, flipped=flipped)
        return self._on_device(batches, "train")

    def validation_batches(self) -> Batches | DeviceBatches:
        return self._on_device(validation_batches(self.folder, self.options), "validation")

    def _on_device(self, batches: Batches, split: str) -> Batches | DeviceBatches:
        """Batches that are cut on the GPU, if there is one with room for the split."""
        arrays = self.device_arrays(**{f"{split}_images": batches.images, f"{split}_labels": batches.labels})
        return DeviceBatches(batches, *arrays) if arrays else batches

    def inputs(self, batch: ImageBatch) -> Tensor:
        return augment(batch.images, self.options.augment).contiguous(memory_format=MEMORY_FORMAT)

    def train_loss(self, images: Tensor, batch: ImageBatch) -> Tensor:
        """The loss of the batch, whose `images` are augmented."""
        logits = self.network(images).float()
        loss = self._pruned_loss(logits, batch) if self.options.prune else self._loss(logits, batch.labels)
        self.tally("train_loss", loss * len(batch.labels), len(batch.labels))
        return loss

    def _loss(self, logits: Tensor, labels: Tensor, **options: Any) -> Tensor:
        smoothing = self.options.label_smoothing
        return F.cross_entropy(logits, labels, weight=self.class_weights, label_smoothing=smoothing, **options)

    def _pruned_loss(self, logits: Tensor, batch: ImageBatch) -> Tensor:
        """The weighted mean of the batch, whose losses decide the pruning of later epochs."""
        losses = self._loss(logits, batch.labels, reduction="none")
        self.losses[batch.rows] = losses.detach()
        weights = self.sample_weights[batch.rows]
        total = weights if self.class_weights is None else weights * self.class_weights[batch.labels]
        return (losses * weights).sum() / total.sum()

    def validation_step(self, batch: ImageBatch) -> None:
        logits = self.evaluated(batch.images).float()
        self.tally("validation_nll", F.cross_entropy(logits, batch.labels, reduction="sum"), len(batch.labels))
        correct = logits.argmax(1) == batch.labels
        if self.background is not None:  # the accuracy is comparable with that of networks without this class
            correct = correct[batch.labels != self.background]
        self.tally("validation_accuracy", correct.sum(), len(correct))


class Task(ClassifierTask):
    """Training by gradients."""

    def loss(self, batch: ImageBatch) -> Tensor:
        return self.train_loss(self.inputs(batch), batch)


class GradientFreeTask(GradientFree, ClassifierTask):
    """Training by the network's own rule; its loss is recorded, too."""

    def __init__(self, network: Any, options: VisionTrain, *, folder: Path, seed: int) -> None:
        check_options(network, options)
        super().__init__(network, options, folder=folder, seed=seed)

    def training_step(self, batch: ImageBatch) -> None:
        images = self.inputs(batch)
        self.train_loss(images, batch)
        self.network.learn(images, batch.labels, epoch=self.current_epoch)
