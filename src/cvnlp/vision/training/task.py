"""Training of an image classifier: cross entropy on augmented images, accuracy on the validation split."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.networks import MEMORY_FORMAT
from cvnlp.params.adversarial_training import Adversarial
from cvnlp.params.runs import Prune, VisionTrain
from cvnlp.training.base_task import BaseTask
from cvnlp.training.gradient_free import GradientFree, check_options
from cvnlp.training.monitor import Monitor
from cvnlp.vision.batches import (
    EVALUATION_BATCH_SIZE,
    Batches,
    DeviceBatches,
    Filler,
    ImageBatch,
    count_images,
    train_batches,
    validation_batches,
)
from cvnlp.vision.training import adversarial
from cvnlp.vision.training.augmentation import alternating_flips, augment
from cvnlp.vision.training.sample_weights import class_weights, prune

ROBUST_ACCURACY, FGSM_ACCURACY = "validation_robust_accuracy", "validation_fgsm_accuracy"
OVERFITTING_GAP = 0.3  # between these two


class ClassifierTask(BaseTask):
    """Batches, loss and validation, with or without gradients.

    `losses` float (N,), with pruning: the loss of each training image when it was last trained on, and `first_losses`
    at the start of `pruned_epoch`, the current one; `sample_weights` float (N,): the weight of each in this epoch.
    `background`: the label of the background class, if any.
    """

    checkpointed_fields = (*BaseTask.checkpointed_fields, "pruned_epoch")

    options: VisionTrain
    class_weights: Tensor | None = None
    background: int | None = None
    losses: Tensor
    first_losses: Tensor
    sample_weights: Tensor
    pruned_epoch = -1

    def __init__(self, network: nn.Module, options: VisionTrain, *, folder: Path, seed: int) -> None:
        super().__init__(network.to(memory_format=MEMORY_FORMAT), options, folder=folder, seed=seed)

    def setup(self, stage: str) -> None:
        """Register the losses before a checkpoint is loaded, of which they are a part."""
        if self.options.prune:
            count = count_images(self.folder, "train")
            self.register_buffer("losses", torch.full((count,), torch.inf))
            self.register_buffer("first_losses", torch.full((count,), torch.inf))
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
            kept = self._prune(self.options.prune, epoch)
        batches = train_batches(
            self.folder, self.options, seed=self.seed, epoch=epoch, kept=kept, flipped=flipped, slices=self.slices
        )
        return self._on_device(batches, "train")

    def _prune(self, options: Prune, epoch: int) -> np.ndarray:
        """The images of the epoch, bool (N,), by the losses at its start; sets their weights."""
        if epoch > self.pruned_epoch:  # not if the training was resumed within this epoch
            self.first_losses.copy_(self.losses)
            self.pruned_epoch = epoch
        losses = self.first_losses.cpu().numpy()
        kept, weights = prune(losses, options, epoch=epoch, epochs=self.options.epochs, seed=self.seed)
        self.sample_weights.copy_(torch.from_numpy(weights))
        return kept

    def share_results(self) -> None:
        """With pruning, give every process the losses of all images."""
        if self.options.prune and self.slices.processes > 1:
            changed = self.losses != self.first_losses
            found = torch.stack((torch.where(changed, self.losses, 0.0), changed.float()))
            total, count = self.trainer.strategy.reduce(found, reduce_op="sum")
            self.losses.copy_(torch.where(count > 0, total / count.clamp(min=1), self.losses))

    def validation_batches(self) -> Batches | DeviceBatches:
        batches = validation_batches(self.folder, self.options, slices=self.validation_slices)
        return self._on_device(batches, "validation")

    def _on_device(self, batches: Batches, split: str) -> Batches | DeviceBatches:
        """Batches that are cut on the GPU, if there is one with room for the split."""
        named = {f"{split}_images": batches.images, f"{split}_labels": batches.labels}
        arrays = self.data.arrays(self.device, **named)
        return DeviceBatches(batches, *arrays) if arrays else batches

    def inputs(self, batch: ImageBatch) -> Tensor:
        return augment(batch.images, self.options.augment).contiguous(memory_format=MEMORY_FORMAT)

    def train_loss(self, images: Tensor, batch: ImageBatch) -> Tensor:
        """The loss of the batch, whose `images` are augmented."""
        logits = self.network(images).float()
        if self.options.prune:
            return self._batch_loss(*self._pruned_loss(logits, batch), batch)
        return self._batch_loss(self._loss(logits, batch.labels), self._weight(batch.labels), batch)

    def _weight(self, labels: Tensor) -> int | Tensor:
        """The total weight of the images in their mean loss."""
        return len(labels) if self.class_weights is None else self.class_weights[labels].sum()

    def _batch_loss(self, mean: Tensor, weight: int | Tensor, batch: ImageBatch) -> Tensor:
        """Tally the mean loss of the images, of this total weight; returns the loss of their slice of the batch."""
        if isinstance(batch, Filler):
            return self.batch_mean.loss(mean, 0, self.slices)
        self.tally("train_loss", mean * len(batch.labels), len(batch.labels))
        return self.batch_mean.loss(mean, weight, self.slices)

    def _loss(self, logits: Tensor, labels: Tensor, **options: Any) -> Tensor:
        smoothing = self.options.label_smoothing
        return F.cross_entropy(logits, labels, weight=self.class_weights, label_smoothing=smoothing, **options)

    def _pruned_loss(self, logits: Tensor, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        """The weighted mean of the batch, whose losses decide the pruning of later epochs, and the total weight."""
        losses = self._loss(logits, batch.labels, reduction="none")
        if not isinstance(batch, Filler):
            self.losses[batch.rows] = losses.detach()
        weights = self.sample_weights[batch.rows]
        total = weights if self.class_weights is None else weights * self.class_weights[batch.labels]
        return (losses * weights).sum() / total.sum(), total.sum()

    def validation_step(self, batch: ImageBatch) -> None:
        logits = self.evaluated(batch.images).float()
        self.tally("validation_nll", F.cross_entropy(logits, batch.labels, reduction="sum"), len(batch.labels))
        self.tally_accuracy("validation_accuracy", logits.argmax(1), batch.labels)

    def tally_accuracy(self, name: str, predicted: Tensor, labels: Tensor) -> None:
        """Count correct predictions; of objects only, for comparison with networks without a background class."""
        correct = predicted == labels
        if self.background is not None:
            correct = correct[labels != self.background]
        self.tally(name, correct.sum(), len(correct))


class Task(ClassifierTask):
    """Training by gradients, on the images or, with `adversarial`, on perturbed ones."""

    @property
    def monitor(self) -> Monitor:
        defence = self.options.adversarial
        attacked = defence is not None and defence.method != "noise"
        return Monitor(ROBUST_ACCURACY, "max") if attacked else super().monitor

    def can_record_steps(self) -> bool:
        return self.options.adversarial is None and super().can_record_steps()

    def loss(self, batch: ImageBatch) -> Tensor:
        images, defence = self.inputs(batch), self.options.adversarial
        if defence is None:
            return self.train_loss(images, batch)
        scale = self._eps_scale(defence)
        if defence.method == "trades":
            return self._trades_loss(images, batch, defence, scale)
        attacked = adversarial.perturb(self.network, images, batch.labels, defence, scale=scale)
        return self.train_loss(attacked, batch)

    def _eps_scale(self, defence: Adversarial) -> float:
        """Rises from 0 to 1 while eps warms up."""
        steps = defence.warmup * self.trainer.estimated_stepping_batches
        return min(1.0, (self.trainer.global_step + 1) / steps) if steps else 1.0

    def _trades_loss(self, images: Tensor, batch: ImageBatch, defence: Adversarial, scale: float) -> Tensor:
        logits = self.network(images).float()
        divergence = adversarial.trades_divergence(self.network, images, logits, defence, scale=scale)
        loss = self._loss(logits, batch.labels) + (defence.beta or 0.0) * divergence
        return self._batch_loss(loss, self._weight(batch.labels), batch)

    def validation_step(self, batch: ImageBatch) -> None:
        super().validation_step(batch)
        defence = self.options.adversarial
        if defence is None or defence.method == "noise":
            return
        every = max(1, count_images(self.folder, "validation") // defence.validation_images)
        chosen = batch.rows % EVALUATION_BATCH_SIZE % every == 0  # the same ones, whatever the slice of this process
        images, labels = batch.images[chosen], batch.labels[chosen]
        attacks = {ROBUST_ACCURACY: defence.validation_steps} | ({FGSM_ACCURACY: 1} if defence.method == "fast" else {})
        for name, steps in attacks.items():
            predicted = adversarial.attacked_predictions(self.evaluated, images, labels, defence, steps=steps)
            self.tally_accuracy(name, predicted, labels)

    def derived_metrics(self, means: dict[str, float]) -> dict[str, float]:
        """Of the fast method, whether its network resists FGSM alone: catastrophic overfitting (Wong et al. 2020).

        While eps warms up, the difference says nothing: the validation attacks have the full eps.
        """
        defence = self.options.adversarial
        if defence is None or FGSM_ACCURACY not in means:
            return {}
        gap = means[FGSM_ACCURACY] - means[ROBUST_ACCURACY]
        overfitted = gap > OVERFITTING_GAP and self._eps_scale(defence) == 1.0
        if overfitted and self.trainer.is_global_zero:
            tqdm.write(
                f"catastrophic overfitting: accuracy {means[FGSM_ACCURACY]:.1%} under FGSM but "
                f"{means[ROBUST_ACCURACY]:.1%} under PGD. The best epoch is kept; lower adversarial.step_size or eps, "
                "or take method pgd"
            )
        return {"catastrophic_overfitting": float(overfitted)}


class GradientFreeTask(GradientFree, ClassifierTask):
    """Training by the network's own rule; its loss is recorded, too."""

    def __init__(self, network: Any, options: VisionTrain, *, folder: Path, seed: int) -> None:
        check_options(network, options)
        if options.adversarial:
            raise ValueError("train.adversarial: needs gradients, and this network learns without any; leave it out")
        super().__init__(network, options, folder=folder, seed=seed)

    def training_step(self, batch: ImageBatch) -> None:
        images = self.inputs(batch)
        self.train_loss(images, batch)
        self.network.learn(images, batch.labels, epoch=self.current_epoch)
