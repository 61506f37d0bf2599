"""Training within an epoch: its batches from any one on, and checkpoints that are saved every few minutes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities import move_data_to_device

from cvnlp.training.callbacks import WithoutStepHooks
from cvnlp.training.checkpoints import PROGRESS

if TYPE_CHECKING:
    from cvnlp.training.base_task import BaseTask

CHECKED_BATCHES = 50  # after which several processes agree whether it is time to save


class TrainBatches(Protocol):
    """The batches of an epoch; `starting_at` leaves out so many of them without reading them."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def starting_at(self, number: int, /) -> Iterator[Any]: ...


class ResumableBatches:
    """The batches of an epoch, each in `parts`; `used` is the number of whole ones that have been read."""

    def __init__(self, batches: TrainBatches, parts: int) -> None:
        self.batches, self.parts = batches, parts
        self._read, self._first = 0, 0

    @property
    def used(self) -> int:
        return self._read // self.parts

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        first, self._first = self._first, 0
        self._read = first * self.parts
        for batch in self.batches.starting_at(first) if first else self.batches:
            self._read += 1
            yield batch

    def start_at(self, number: int) -> None:
        """Leave out so many batches when the iteration begins; an iterator that has not begun does, too."""
        self._first = number


class PeriodicCheckpoint(WithoutStepHooks):
    """Saves the training within an epoch, every `seconds`, to `path`, from where it continues to the same result."""

    def __init__(
        self, task: "BaseTask", path: Path, *, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.task, self.path, self.seconds, self.clock = task, path, seconds, clock
        self._saved, self._saving = clock(), False
        self._loaded: dict[str, Any] | None = None
        task.checkpoint = self

    def on_train_epoch_start(self, *_: Any) -> None:
        """The training has just been saved, at the end of the epoch before."""
        self._saved = self.clock()

    def save_if_due(self, trainer: pl.Trainer, batches: int) -> None:
        """Save after so many batches of an epoch; the task calls it once a batch has had all its effects."""
        if not trainer.is_last_batch and self._is_time(trainer, batches):
            self._saving = True
            trainer.save_checkpoint(self.path)
            self._saving, self._saved = False, self.clock()

    def _is_time(self, trainer: pl.Trainer, batches: int) -> bool:
        """As the main process decides: saving needs all of them."""
        due = self.clock() - self._saved >= self.seconds
        if trainer.world_size == 1:
            return due
        return batches % CHECKED_BATCHES == 0 and bool(trainer.strategy.broadcast(due))

    def on_save_checkpoint(self, trainer: pl.Trainer, _: Any, checkpoint: dict[str, Any]) -> None:
        if self._saving:
            loader: Any = trainer.train_dataloader
            read = {"batches": loader.used, "parts": loader.parts, "random": _random_state(self.task.device)}
            checkpoint[PROGRESS] = _of_all_processes(self.task.progress_within_epoch() | read, trainer.world_size)

    def on_load_checkpoint(self, trainer: pl.Trainer, _: Any, checkpoint: dict[str, Any]) -> None:
        if PROGRESS in checkpoint:
            self._loaded = checkpoint[PROGRESS][trainer.global_rank]
            before, now = self._loaded["parts"], trainer.accumulate_grad_batches
            if before != now:
                raise ValueError(
                    f"CVNLP_ACCUMULATE: the training was interrupted within an epoch with {before}, and now it is "
                    f"{now}; take {before} until the end of the epoch"
                )

    def on_train_start(self, trainer: pl.Trainer, _: Any) -> None:
        """Continue after the last batch. Lightning has made the batches of the first epoch before it loads a state."""
        if self._loaded:
            loader: Any = trainer.train_dataloader
            loader.start_at(self._loaded["batches"])
            self.task.resume_within_epoch(self._loaded)
            _set_random_state(self._loaded["random"], self.task.device)
            self._loaded = None


def _of_all_processes(own: dict[str, Any], processes: int) -> list[dict[str, Any]]:
    gathered: list[Any] = [own] * processes
    if processes > 1:
        torch.distributed.all_gather_object(gathered, move_data_to_device(own, torch.device("cpu")))
    return gathered


def _random_state(device: torch.device) -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def _set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
