"""Precision, seeding, fit and resume; the same for both halves."""

import logging
import math
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import Logger

from cvnlp.params.runs import Train
from cvnlp.training.base_task import MONITOR, BaseTask
from cvnlp.training.callbacks import EpochSeed, History, Stop
from cvnlp.training.progress import Lines, Progress

# What Lightning says of itself at every start; its warnings about loaders are about torch's DataLoader, unused here.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Fitted:
    """What a training came to; `history` has a row per epoch, `examples` counts the pictures or tokens trained on."""

    history: list[dict[str, float]]
    best_epoch: int
    seconds: float
    examples: int


class Data(pl.LightningDataModule):
    """Fresh batches for every epoch, so that an epoch's order depends on the seed and its number alone."""

    def __init__(self, batches: Any, folder: Path, options: Train, seed: int) -> None:
        super().__init__()
        self.batches, self.folder, self.options, self.seed = batches, folder, options, seed

    def train_dataloader(self) -> Any:
        assert self.trainer is not None
        task, epoch = cast(BaseTask, self.trainer.lightning_module), self.trainer.current_epoch
        return task.train_batches(self.batches, self.folder, seed=self.seed, epoch=epoch)

    def val_dataloader(self) -> Any:
        return self.batches.validation_batches(self.folder, self.options)


class EpochLogger(Logger):
    """Hands the metrics of every epoch to `write(metrics, epoch)`; Lightning knows no tracker beyond it."""

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
        """Nothing: the params are written down by who made the logger."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        values = dict(metrics)
        self._write(values, int(values.pop("epoch", 0)))


def seed_everything(seed: int) -> None:
    """Fix the random numbers and the algorithms, so that the same input gives the same bytes on the same machine."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic matrix products need on a GPU
    pl.seed_everything(seed, verbose=False)
    # torch's stubs do not know it; nothing here reads what it has not written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def fit(task: BaseTask, data: Data, *, run: str, resume: Path, logger: Logger) -> Fitted:
    """Train and leave the weights of the best epoch in the task's network.

    In the folder `resume` stands the state after every epoch; an interrupted training goes on from it and ends where
    it would have. ValueError if the loss stops being a number.
    """
    options = task.options
    if not options.epochs:
        return Fitted(history=[], best_epoch=0, seconds=0.0, examples=0)
    history = History()
    best = ModelCheckpoint(resume, "best", monitor=MONITOR, save_weights_only=True, enable_version_counter=False)
    trainer = _trainer(options, [EpochSeed(data.seed), history, best], run, resume, logger)
    checkpoint = resume / "last.ckpt"
    trainer.fit(task, datamodule=data, ckpt_path=checkpoint if checkpoint.is_file() else None, weights_only=True)
    rows = history.rows
    if not rows or not math.isfinite(rows[-1][MONITOR]):
        raise ValueError(f"runs.{run}.train: the loss is no longer a number; lower lr (now {options.lr}) or set clip")
    weights = torch.load(best.best_model_path, weights_only=True, map_location="cpu")["state_dict"]
    task.load_state_dict(weights)
    if task.evaluated is not task.network:
        task.network.load_state_dict(task.evaluated.state_dict())
    best_epoch = int(min(rows, key=lambda row: row[MONITOR])["epoch"])
    return Fitted(history=rows, best_epoch=best_epoch, seconds=task.seconds, examples=task.examples)


def _trainer(options: Train, callbacks: list[Callback], run: str, resume: Path, logger: Logger) -> pl.Trainer:
    """Lightning's trainer for `options`, which also stops early and keeps the state of the last epoch in `resume`."""
    last = ModelCheckpoint(resume, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    stop = Stop(MONITOR, patience=options.patience or options.epochs, min_delta=0.0)
    terminal = sys.stderr.isatty()
    return pl.Trainer(
        max_epochs=options.epochs,
        accelerator="auto",
        devices=1,
        precision=PRECISIONS[options.precision],  # type: ignore[arg-type]
        gradient_clip_val=options.clip,
        deterministic=True,
        logger=logger,
        callbacks=[*callbacks, stop, last, Progress(run) if terminal else Lines(run)],
        enable_progress_bar=terminal,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10**9,  # per epoch only
        reload_dataloaders_every_n_epochs=1,
        default_root_dir=resume,
    )
