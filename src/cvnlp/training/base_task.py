"""The LightningModule that the tasks of both halves extend: optimiser, averaged weights, metrics of an epoch."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities import move_data_to_device
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cvnlp.launch.slices import BatchSlices
from cvnlp.params.runs import Train
from cvnlp.training import averaging, optimisers, parallel, schedules
from cvnlp.training.batch_mean import BatchMean
from cvnlp.training.device_data import DeviceData
from cvnlp.training.epoch_metrics import EpochMetrics
from cvnlp.training.monitor import MONITOR, Monitor
from cvnlp.training.recorded_step import CudaGraph, RecordedStep
from cvnlp.training.resumable import PeriodicCheckpoint, ResumableBatches, TrainBatches

BATCH_NORM_BATCHES = 100  # from which the batch normalisation of averaged weights gets its means and variances


class BaseTask(pl.LightningModule):
    """A network in training on the prepared data set in `folder`.

    A half adds its batches, `loss` and `validation_step`, which call `tally` for each metric. The metrics of an epoch
    are means over its examples in all processes. They are computed once, at its end: until then nothing waits for the
    device.

    `examples`: number of images or tokens trained on; `seconds`: time of training and validation; `scores`: MONITOR of
    every epoch; `first_averaged`: the step after which weights are averaged, None until it is known. `state`: what the
    last batch leaves to the next, tensors in nested tuples. On a GPU, `keeps_data_on_gpu` and `records_steps` make
    training fast.

    With several processes, or batches in several parts, a task gets its `slices` of each batch.
    """

    checkpointed_fields: tuple[str, ...] = ("examples", "seconds", "scores", "first_averaged")
    keeps_data_on_gpu = True
    records_steps = True
    state: Any = None

    def __init__(self, network: nn.Module, options: Train, *, folder: Path, seed: int) -> None:
        super().__init__()
        self.network, self.options, self.folder, self.seed = network, options, folder, seed
        self.average = averaging.make_average(network, average=options.average, decay=options.average_decay)
        self.examples, self.seconds = 0, 0.0
        self.scores: list[float] = []
        self.first_averaged: int | None = None
        self._started, self._lr_scale = 0.0, 1.0
        self.metrics, self.batch_mean = EpochMetrics(), BatchMean()
        self.data = DeviceData(enabled=self.keeps_data_on_gpu)
        self._recorded: RecordedStep | None = None
        self.checkpoint: PeriodicCheckpoint | None = None
        self._states: list[Any] = []  # `state` of every part of a batch, if there are several

    @property
    def slices(self) -> BatchSlices:
        """The part of a training batch that this process computes."""
        return parallel.slices_of(self._trainer)

    @property
    def validation_slices(self) -> BatchSlices:
        return self.slices.whole

    @property
    def monitor(self) -> Monitor:
        return Monitor(MONITOR, "min")

    def train_batches(self, epoch: int) -> TrainBatches:
        """The batches of an epoch; `seed` and `epoch` decide their order, `slices` the part of this process."""
        raise NotImplementedError

    def validation_batches(self) -> Any:
        """The batches of the validation split, or this process's part of them."""
        raise NotImplementedError

    def inputs(self, batch: Any) -> Any:
        """The input of the network in a training batch."""
        raise NotImplementedError

    def loss(self, batch: Any) -> Tensor:
        """The loss of a training batch, whose metrics are tallied; the random numbers and `state` advance."""
        raise NotImplementedError

    def derived_metrics(self, means: dict[str, float]) -> dict[str, float]:
        """More metrics, computed from the means of the epoch."""
        return {}

    def lr_scale(self, batch: Any) -> float:
        """Factor of the learning rate for the step on this batch."""
        return 1.0

    def tally(self, name: str, total: Tensor, count: int | Tensor) -> None:
        """Add `total`, a sum over `count` examples, to the epoch's mean of `name`."""
        self.metrics.add(name, total, count)

    def can_record_steps(self) -> bool:
        """Whether a step runs on one GPU, without waiting for it, and with nothing but the learning rate changing."""
        alone = self.device.type == "cuda" and self.slices.total == 1
        return alone and self.records_steps and self.options.optimiser.schedule != "one_cycle"

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and kept: with averaged weights as soon as there are any."""
        return self.average.module if self.average is not None and self.average.n_averaged else self.network

    def train_dataloader(self) -> ResumableBatches:
        return ResumableBatches(self.train_batches(self.current_epoch), self.slices.accumulate)

    def val_dataloader(self) -> Any:
        return self.validation_batches()

    def on_train_start(self) -> None:
        self._started = time.perf_counter()
        self._states = self._states or [self.state] * self.slices.accumulate  # or those of a resumed epoch
        if self.can_record_steps():
            self._recorded = RecordedStep(self, self.trainer.optimizers[0], CudaGraph())

    def on_train_epoch_start(self) -> None:
        self._started = time.perf_counter()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self._lr_scale = self.lr_scale(batch)
        if len(self._states) > 1:
            self.state = self._states[batch_idx % len(self._states)]

    def training_step(self, batch: Any) -> Tensor | None:
        """The loss; None if the step is recorded, which has then been done with gradients and optimiser."""
        if self._recorded is None:
            return self.loss(batch)
        self._recorded(batch)
        return None

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        if self._recorded is not None:
            optimizer_closure()
            return
        with optimisers.scaled_lr(optimizer, self._lr_scale):
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Any) -> None:
        if self._recorded is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if len(self._states) > 1:
            self._states[batch_idx % len(self._states)] = self.state
            if (batch_idx + 1) % len(self._states):
                return
        self._update_average()
        if self.checkpoint is not None:  # callbacks have their turn before the weights are averaged
            self.checkpoint.save_if_due(self.trainer, (batch_idx + 1) // len(self._states))

    def _update_average(self) -> None:
        first = self.first_averaged
        if self.average is not None and first is not None and self.trainer.global_step > first:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        parallel.average_buffers(self.network, self.trainer.strategy, self.slices.processes)
        if self.evaluated is not self.network:
            averaging.update_batch_norm(self.evaluated, self._batch_norm_inputs())

    def _batch_norm_inputs(self) -> Iterator[Any]:
        batches: Any = self.trainer.train_dataloader
        for batch in itertools.islice(batches, BATCH_NORM_BATCHES):
            yield self.inputs(self.trainer.strategy.batch_to_device(batch, self.device))

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the epoch: the same values in every process."""
        self.seconds += self.seconds_of_epoch
        self.share_results()
        means, counts = self.metrics.reduce(self.trainer.strategy, self.device, self.slices.processes)
        self.examples += int(counts.get("train_loss", 0))
        self.scores.append(means[MONITOR])
        self._start_average()
        metrics = means | self.derived_metrics(means) | self._learning_rate()
        self.log_dict({name: torch.tensor(value) for name, value in metrics.items()})

    @property
    def seconds_of_epoch(self) -> float:
        """Seconds since the start of the epoch, or since a training within it was resumed."""
        return time.perf_counter() - self._started

    def share_results(self) -> None:
        """Combine what every process has stored of its examples, at the end of an epoch."""

    def _start_average(self) -> None:
        """Start the average of nt_asgd once the validation score has stopped improving."""
        interval = self.options.average_interval
        if interval and self.first_averaged is None and averaging.non_monotonic_trigger(self.scores, interval):
            self.first_averaged = self.trainer.global_step

    def _learning_rate(self) -> dict[str, float]:
        groups = self.trainer.optimizers[0].param_groups
        return {"lr": groups[0]["lr"]} if groups else {}  # no groups: a network that learns without gradients

    def configure_optimizers(self) -> Any:
        optimiser = optimisers.make_optimiser(self.network, self.options.optimiser, lr=self.options.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        epoch_steps = steps // self.options.epochs
        if self.options.average_start is not None:
            self.first_averaged = round(self.options.average_start * steps)
        scheduler = schedules.make_scheduler(optimiser, self.options.optimiser, steps=steps, epoch_steps=epoch_steps)
        # With the interval "epoch" Lightning steps a plateau schedule only after it has saved the epoch's checkpoint,
        # and a resumed training would skip that step. Counted in steps, it comes before.
        frequency = epoch_steps if isinstance(scheduler, ReduceLROnPlateau) else 1
        steps_of = {"scheduler": scheduler, "interval": "step", "frequency": frequency, "monitor": MONITOR}
        return {"optimizer": optimiser, "lr_scheduler": steps_of}

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        # Lightning refuses to clip for a fused optimiser in mixed precision, because of fp16's scaler, unused here
        self.batch_mean.divide((one.grad for one in self.parameters()), self.slices, self.trainer.strategy)
        self.clip_gradient_norm()

    def clip_gradient_norm(self) -> None:
        if self.options.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"] = {name: getattr(self, name) for name in self.checkpointed_fields}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, value in checkpoint["task"].items():
            setattr(self, name, value)

    def progress_within_epoch(self) -> dict[str, Any]:
        """What the rest of the epoch needs: the state of each part of a batch, and the metrics so far."""
        states = self._states if len(self._states) > 1 else [self.state]
        return {"states": states, "metrics": self.metrics.state(), "seconds": self.seconds_of_epoch}

    def resume_within_epoch(self, progress: dict[str, Any]) -> None:
        """Continue from what `progress_within_epoch` has returned, on this task's device."""
        moved = move_data_to_device(progress, self.device)
        self._states, self.state = moved["states"], moved["states"][0]
        self.metrics.load(moved["metrics"])
        self.seconds += progress["seconds"]
