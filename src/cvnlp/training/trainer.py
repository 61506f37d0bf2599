"""Fit a task, resume an interrupted training, and keep the best epoch; the same for both halves."""

import logging
import math
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import nn

from cvnlp.launch import devices
from cvnlp.launch.processes import is_main_process
from cvnlp.launch.settings import ONE_PROCESS, Launch
from cvnlp.params.runs import Train
from cvnlp.training import parallel
from cvnlp.training.base_task import BaseTask
from cvnlp.training.callbacks import (
    EpochCheckpoint,
    EpochLines,
    EpochSeed,
    History,
    ProgressBar,
    ResumableEarlyStopping,
)
from cvnlp.training.checkpoints import LAST, WITHIN_EPOCH, newest_state
from cvnlp.training.gradient_free import GradientFree, GradientFreeNetwork
from cvnlp.training.monitor import MONITOR, Monitor
from cvnlp.training.resumable import PeriodicCheckpoint

if TYPE_CHECKING:
    from cvnlp.domains import Training

# Lightning's messages at every start, and its warnings about data loaders, which mean torch's DataLoader, unused here
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")
warnings.filterwarnings("ignore", message="The `srun` command is available")  # a login machine of a cluster

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Fitted:
    """The result of a training: metrics of every epoch, the best epoch, seconds, and images or tokens trained on."""

    history: list[dict[str, float]]
    best_epoch: int
    seconds: float
    examples: int


def seed_everything(seed: int) -> None:
    """Fix random numbers and algorithms, so that the same input gives the same bytes on the same machine."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required for deterministic matrix products on a GPU
    pl.seed_everything(seed, verbose=False)


def make_task(half: "Training", network: nn.Module, options: Train, *, folder: Path, seed: int) -> BaseTask:
    """The task of a half that trains `network` on the prepared data in `folder`, with or without gradients."""
    task = half.GradientFreeTask if isinstance(network, GradientFreeNetwork) else half.Task
    return task(network, options, folder=folder, seed=seed)


def fit(task: BaseTask, *, run: str, resume: Path, logger: Logger, launch: Launch = ONE_PROCESS) -> Fitted:
    """Train, and load the weights of the best epoch into the task's network; with several processes, in the main one.

    The folder `resume` holds the state after the last epoch, and maybe within the next one; from there an interrupted
    training continues, to the same result. ValueError if the loss is no longer a number.
    """
    options = task.options
    if not options.epochs:
        return Fitted(history=[], best_epoch=0, seconds=0.0, examples=0)
    history = History()
    best = _best_checkpoint(resume, task.monitor)
    trainer = _trainer(task, [EpochSeed(task.seed), history, best], run, resume, logger, launch)
    trainer.fit(task, ckpt_path=newest_state(resume, launch.processes), weights_only=True)
    rows = history.rows
    if not rows or not math.isfinite(rows[-1][MONITOR]):
        raise ValueError(f"runs.{run}.train: the loss is no longer a number; lower lr (now {options.lr}) or set clip")
    if is_main_process():  # another process may be late, and the main one removes its state
        _load_best(task, Path(best.best_model_path))
    best_epoch = int(task.monitor.best(rows)["epoch"])
    return Fitted(history=rows, best_epoch=best_epoch, seconds=task.seconds, examples=task.examples)


def _best_checkpoint(resume: Path, monitor: Monitor) -> EpochCheckpoint:
    """Saves the weights of the best epoch."""
    return EpochCheckpoint(
        resume,
        "best",
        monitor=monitor.metric,
        mode=monitor.mode,
        save_weights_only=True,
        enable_version_counter=False,
    )


def _load_best(task: BaseTask, checkpoint: Path) -> None:
    """Load the weights of the best epoch into the task's network, averaged ones if they were averaged."""
    weights = torch.load(checkpoint, weights_only=True, map_location="cpu")["state_dict"]
    task.load_state_dict(weights)
    if task.evaluated is not task.network:
        task.network.load_state_dict(task.evaluated.state_dict())


def _precision(chosen: str, device: torch.device) -> Any:
    """Lightning's name of a precision."""
    return PRECISIONS[("bf16" if _has_bfloat16(device) else "32") if chosen == "auto" else chosen]


def _has_bfloat16(device: torch.device) -> bool:
    """Whether the GPU, or else the processor, has instructions for products of bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(has for name, has in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


def _trainer(
    task: BaseTask, callbacks: list[Callback], run: str, resume: Path, logger: Logger, launch: Launch
) -> pl.Trainer:
    """Lightning's trainer, which stops early and saves its state in `resume` after every epoch and within long ones."""
    options, monitor, device = task.options, task.monitor, devices.device()
    last = EpochCheckpoint(resume, Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False)
    within = PeriodicCheckpoint(task, resume / WITHIN_EPOCH, seconds=60 * options.save_every)
    patience = options.patience or options.epochs
    stop = ResumableEarlyStopping(monitor.metric, mode=monitor.mode, patience=patience, min_delta=0.0)
    terminal = sys.stderr.isatty()
    # Deterministic algorithms would fill every new tensor first, a tenth of the time of a small convolutional network;
    # no code here reads uninitialised memory. The switch is missing from torch's type stubs.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return pl.Trainer(
        max_epochs=options.epochs,
        precision=_precision(options.precision, device),
        gradient_clip_val=options.clip,
        deterministic=True,
        logger=logger,
        callbacks=[*callbacks, stop, last, within, EpochLines(run), *([ProgressBar(run)] if terminal else [])],
        enable_progress_bar=terminal,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10**9,  # once per epoch only
        reload_dataloaders_every_n_epochs=1,
        default_root_dir=resume,
        **parallel.trainer_options(launch, device, learns_by_gradients=not isinstance(task, GradientFree)),
    )
