"""The LightningModule that the tasks of both halves extend: optimiser, averaged weights, metrics of an epoch."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cvnlp.params.runs import Train
from cvnlp.training import averaging, optimisers, schedules
from cvnlp.training.recorded_step import CudaGraph, RecordedStep

MONITOR = "validation_nll"  # nats per image or per token
BATCH_NORM_BATCHES = 100  # from which the batch normalisation of averaged weights gets its means and variances
FREE_SHARE = 0.5  # of the free memory of a GPU, that data may take
CHECKPOINTED_FIELDS = ("examples", "seconds", "scores", "first_averaged")


class Monitor(NamedTuple):
    """The metric by which the best epoch is chosen, and whether its smallest or largest value is best."""

    metric: str
    mode: Literal["min", "max"]

    def best(self, rows: list[dict[str, float]]) -> dict[str, float]:
        """The first of the rows with the best value."""
        return (min if self.mode == "min" else max)(rows, key=lambda row: row[self.metric])


class BaseTask(pl.LightningModule):
    """A network in training on the prepared data set in `folder`.

    A half adds its batches, `loss` and `validation_step`, which call `tally` for each metric. The metrics of an epoch
    are means over its examples in all processes. They are computed once, at its end: until then nothing waits for the
    device.

    `examples`: number of images or tokens trained on; `seconds`: time of training and validation; `scores`: MONITOR of
    every epoch; `first_averaged`: the step after which weights are averaged, None until it is known. `state`: what the
    last batch leaves to the next, tensors in nested tuples. On a GPU, `keeps_data_on_gpu` and `records_steps` make
    training fast.
    """

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
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}
        self._arrays: dict[str, Tensor] = {}
        self._recorded: RecordedStep | None = None

    @property
    def monitor(self) -> Monitor:
        return Monitor(MONITOR, "min")

    def train_batches(self, epoch: int) -> Any:
        """The batches of an epoch; `seed` and `epoch` decide their order."""
        raise NotImplementedError

    def validation_batches(self) -> Any:
        """The batches of the validation split."""
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
        """Add `total`, a sum over `count` examples, to the epoch's mean of `name`.

        In place and on the device: so a recorded step adds to the same sums.
        """
        if name not in self._sums:
            self._sums[name] = torch.zeros((), device=total.device)
            self._counts[name] = torch.zeros((), dtype=torch.int64, device=total.device)
        self._sums[name] += total.detach().float()
        self._counts[name] += count

    def device_arrays(self, **arrays: np.ndarray) -> list[Tensor] | None:
        """Prepared arrays in the memory of the GPU, copied there once; None on the CPU, or if they do not fit."""
        missing = {name: array for name, array in arrays.items() if name not in self._arrays}
        if not self.has_room(sum(array.nbytes for array in missing.values())):
            return None
        self._arrays |= {name: _to_tensor(array).to(self.device) for name, array in missing.items()}
        return [self._arrays[name] for name in arrays]

    def has_room(self, size: int) -> bool:
        """Whether the task is on a GPU that has room for data of `size` bytes."""
        on_gpu = self.device.type == "cuda" and self.keeps_data_on_gpu
        return on_gpu and size <= FREE_SHARE * torch.cuda.mem_get_info(self.device)[0]

    def can_record_steps(self) -> bool:
        """Whether a step runs on one GPU, without waiting for it, and with nothing but the learning rate changing."""
        alone = self.device.type == "cuda" and self.trainer.world_size == 1
        return alone and self.records_steps and self.options.optimiser.schedule != "one_cycle"

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and kept: with averaged weights as soon as there are any."""
        return self.average.module if self.average is not None and self.average.n_averaged else self.network

    def train_dataloader(self) -> Any:
        return self.train_batches(self.current_epoch)

    def val_dataloader(self) -> Any:
        return self.validation_batches()

    def on_train_start(self) -> None:
        if self.can_record_steps():
            self._recorded = RecordedStep(self, self.trainer.optimizers[0], CudaGraph())

    def on_train_epoch_start(self) -> None:
        self._started = time.perf_counter()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self._lr_scale = self.lr_scale(batch)

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

    def on_train_batch_end(self, *_: Any) -> None:
        if self.average is None or self.first_averaged is None:
            return
        if self.trainer.global_step > self.first_averaged:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        if self.evaluated is not self.network:
            averaging.update_batch_norm(self.evaluated, self._batch_norm_inputs())

    def _batch_norm_inputs(self) -> Iterator[Any]:
        batches: Any = self.trainer.train_dataloader
        for batch in itertools.islice(batches, BATCH_NORM_BATCHES):
            yield self.inputs(self.trainer.strategy.batch_to_device(batch, self.device))

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the epoch: the same values in every process."""
        self.seconds += time.perf_counter() - self._started
        sums, counts = self._reduced()
        means = {name: total / counts[name] for name, total in sums.items()}
        self.examples += int(counts.get("train_loss", 0))
        self.scores.append(means[MONITOR])
        self._start_average()
        metrics = means | self.derived_metrics(means) | self._learning_rate()
        self.log_dict({name: torch.tensor(value) for name, value in metrics.items()})

    def _reduced(self) -> tuple[dict[str, float], dict[str, float]]:
        """Sums and counts of the epoch, added up over all processes, and reset."""
        names = [name for name, count in self._counts.items() if count]
        values = [float(values[name]) for values in (self._sums, self._counts) for name in names]
        for total in (*self._sums.values(), *self._counts.values()):
            total.zero_()
        if self.trainer.world_size > 1:
            local = torch.tensor(values, dtype=torch.float64, device=self.device)
            values = self.trainer.strategy.reduce(local, reduce_op="sum").tolist()
        sums, counts = values[: len(names)], values[len(names) :]
        return dict(zip(names, sums, strict=True)), dict(zip(names, counts, strict=True))

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
        timing = {"interval": "step", "frequency": frequency, "monitor": MONITOR}
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, **timing}}

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        # Lightning refuses to clip for a fused optimiser in mixed precision, because of fp16's scaler, unused here
        self.clip_gradient_norm()

    def clip_gradient_norm(self) -> None:
        if self.options.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"] = {name: getattr(self, name) for name in CHECKPOINTED_FIELDS}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, value in checkpoint["task"].items():
            setattr(self, name, value)


def _to_tensor(array: np.ndarray) -> Tensor:
    """A copy of a prepared array; of uint16, which torch cannot index on a GPU, as int32."""
    return torch.from_numpy(array.astype(np.int32 if array.dtype == np.uint16 else array.dtype))
