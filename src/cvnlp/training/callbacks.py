"""Callbacks and logger of a training: random seed, history, early stopping, and the progress on the terminal."""

import sys
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from tqdm import tqdm

RANK_STEP = 0x9E3779B1  # between the seeds of processes, of which torch's generator uses 32 bits


class WithoutStepHooks(Callback):
    """A callback that has nothing to do within an epoch: Lightning skips hooks that are None.

    Six empty hooks of each callback in every step would take a third of what Lightning adds to a small step.
    """

    on_train_batch_start: Any = None
    on_train_batch_end: Any = None
    on_before_zero_grad: Any = None
    on_before_backward: Any = None
    on_after_backward: Any = None
    on_before_optimizer_step: Any = None


class EpochCheckpoint(WithoutStepHooks, ModelCheckpoint):
    """Lightning's checkpoints, saved at the end of epochs only."""


class EpochSeed(WithoutStepHooks):
    """Seeds every epoch, so that its random numbers (dropout, augmentation) depend on seed and epoch alone.

    Of several processes each has its own: equal ones would drop the same units in every slice of a batch.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch + trainer.global_rank * RANK_STEP)


class History(WithoutStepHooks):
    """The metrics of every epoch, as rows; they are part of the checkpoint."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **metrics})

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


class ResumableEarlyStopping(WithoutStepHooks, EarlyStopping):
    """Early stopping that stops again at once when a training is resumed that had already stopped."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class EpochLines(WithoutStepHooks):
    """Prints one line per epoch, above the progress bar if there is one."""

    def __init__(self, run: str) -> None:
        self.run = run

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = ", ".join(f"{name} {float(value):.4g}" for name, value in sorted(trainer.callback_metrics.items()))
        line = f"train {self.run}: epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {metrics}"
        tqdm.write(line)  # to standard output; clears a bar for the moment
        sys.stdout.flush()


class ProgressBar(TQDMProgressBar):
    """A progress bar with the name of the run, refreshed every 20 steps: a refresh takes about as long as a step."""

    def __init__(self, run: str) -> None:
        super().__init__(refresh_rate=20, leave=False)
        self.run = run

    def init_train_tqdm(self) -> Any:
        bar = super().init_train_tqdm()
        bar.set_description(f"train {self.run}")
        return bar

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(
            f"train {self.run}: epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        )

    def init_validation_tqdm(self) -> Any:
        bar = super().init_validation_tqdm()
        bar.set_description(f"validate {self.run}")
        return bar


class EpochLogger(Logger):
    """Passes the metrics of every epoch to `write(metrics, epoch)`, in the main process only."""

    def __init__(self, write: Callable[[dict[str, float], int], None]) -> None:
        super().__init__()
        self._write = write

    @property
    def name(self) -> str:
        return "epochs"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: who made the logger has recorded the params."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        values = dict(metrics)
        self._write(values, int(values.pop("epoch", 0)))
