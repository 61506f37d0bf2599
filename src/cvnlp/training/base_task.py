"""What the tasks of both halves share: means over an epoch, the average of the weights, optimiser and schedule."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cvnlp.params.runs import Train
from cvnlp.training import optimisers
from cvnlp.training.gradient_free import Learner, NoGradient, check_learner

MONITOR = "validation_nll"  # nats per picture or per token: the best model has the least
STATISTICS_BATCHES = 100  # from which the batch normalisation of averaged weights takes its means and variances
KEPT = ("examples", "seconds", "scores", "first_averaged")  # what a task knows of the epochs before an interruption


class BaseTask(pl.LightningModule):
    """A network with its optimiser, the average of its weights, and means over an epoch without a synchronisation."""

    def __init__(self, network: nn.Module, options: Train) -> None:
        super().__init__()
        if isinstance(network, Learner):
            check_learner(network, options)
        self.network, self.options = network, options
        self.average = optimisers.make_average(network, average=options.average, decay=options.average_decay)
        self.examples, self.seconds = 0, 0.0
        self.scores: list[float] = []  # on the validation split, of every epoch
        self.first_averaged: int | None = None  # the steps after it count; None: it is not known yet
        self._mark, self._share = 0.0, 1.0
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def tally(self, name: str, total: Tensor, count: int) -> None:
        """Add `total` over `count` examples to the epoch's mean of `name`."""
        self._sums[name] = self._sums.get(name, torch.zeros((), device=total.device)) + total.detach().float()
        self._counts[name] = self._counts.get(name, 0) + count

    @property
    def evaluated(self) -> nn.Module:
        """What is validated and kept: the network, or the one of averaged weights as soon as there are any."""
        return self.average.module if self.average is not None and self.average.n_averaged else self.network

    def train_batches(self, half: Any, folder: Path, *, seed: int, epoch: int) -> Any:
        """What an epoch trains on, from the half's module of batches."""
        return half.train_batches(folder, self.options, seed=seed, epoch=epoch)

    def inputs(self, batch: Any) -> Any:
        """What the network reads of a batch."""
        return batch[0]

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        """More metrics, computed from the epoch's means."""
        return {}

    def share(self, batch: Any) -> float:
        """What the learning rate is multiplied by for this batch alone."""
        return 1.0

    def on_train_epoch_start(self) -> None:
        self._mark = time.perf_counter()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self._share = self.share(batch)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        with optimisers.scaled(optimizer, self._share):
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)

    def on_train_batch_end(self, *_: Any) -> None:
        if self.average is None or self.first_averaged is None:
            return
        if self.trainer.global_step > self.first_averaged:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        if self.evaluated is not self.network:
            optimisers.renew_statistics(self.evaluated, self._some_inputs())

    def _some_inputs(self) -> Iterator[Any]:
        batches: Any = self.trainer.train_dataloader
        for batch in itertools.islice(batches, STATISTICS_BATCHES):
            yield self.inputs(self.trainer.strategy.batch_to_device(batch, self.device))

    def on_validation_epoch_end(self) -> None:
        self.seconds += time.perf_counter() - self._mark
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self.examples += self._counts.get("train_loss", 0)
        self._sums, self._counts = {}, {}
        self._watch(means)
        group = self.trainer.optimizers[0].param_groups[0]
        # a network that learns without gradients has no rate
        metrics = means | self.derived(means) | ({"lr": group["lr"]} if "lr" in group else {})
        self.log_dict({name: torch.tensor(value) for name, value in metrics.items()})

    def _watch(self, means: dict[str, float]) -> None:
        """Begin the average that waits until the validation score no longer falls."""
        self.scores.append(means[MONITOR])
        interval = self.options.average_interval
        if interval and self.first_averaged is None and optimisers.stalled(self.scores, interval):
            self.first_averaged = self.trainer.global_step

    def configure_optimizers(self) -> Any:
        if isinstance(self.network, Learner):
            return NoGradient(self.network)
        optimiser = optimisers.make_optimiser(self.network, self.options.optimiser, lr=self.options.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        epoch_steps = steps // self.options.epochs
        if self.options.average_start is not None:
            self.first_averaged = round(self.options.average_start * steps)
        scheduler = optimisers.make_scheduler(optimiser, self.options.optimiser, steps=steps, epoch_steps=epoch_steps)
        # Lightning shows a plateau the score of an epoch only after that epoch's state is saved: an interrupted
        # training would miss it; counted in steps it comes before
        every = epoch_steps if isinstance(scheduler, ReduceLROnPlateau) else 1
        timing = {"interval": "step", "frequency": every, "monitor": MONITOR}
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, **timing}}

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        # Lightning refuses to clip for a fused optimiser in mixed precision, for the sake of fp16's scaler, unused here
        if gradient_clip_val:
            nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"] = {name: getattr(self, name) for name in KEPT}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, value in checkpoint["task"].items():
            setattr(self, name, value)
