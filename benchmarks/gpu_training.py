"""Trainings of gpu.py: through the project's trainer, with the time of every epoch."""

import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.launch import devices
from cvnlp.params import read_params
from cvnlp.params.network_config import NetworkConfig
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.training import trainer
from cvnlp.training.base_task import BaseTask
from cvnlp.training.callbacks import EpochLogger

AnyRun = VisionRun | LanguageRun
QUICK_EPOCHS, QUICK_WINDOWS = 2, 8


@dataclass(frozen=True)
class Setting:
    """`data` and `whole`: folders with the prepared data of the default runs, and of benchmarks/; `deadline`: by
    time.perf_counter(); `children`: processes that train on the CPU at the same time.
    """

    data: Path
    whole: Path
    quick: bool
    deadline: float
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.deadline - time.perf_counter()

    def run(self, params: Path, name: str) -> AnyRun:
        """A run of a params.yaml; with `quick` for QUICK_EPOCHS short epochs."""
        run = read_params(params).runs[name]
        return shortened(run, QUICK_EPOCHS, QUICK_WINDOWS) if self.quick else run

    def folder(self, run: AnyRun) -> Path:
        """The prepared data of a run; with `quick`, 5,000 digits instead of other images."""
        if self.quick and run.domain == "vision":
            return self.data / "mnist_sample"
        return (self.data if (self.data / run.dataset).is_dir() else self.whole) / run.dataset


@dataclass
class Trained:
    """`marks`: seconds from the start of `fit` to the end of every epoch, with everything; `epochs`: seconds of its
    training steps alone; `examples`: trained on in each.
    """

    run: AnyRun
    network: nn.Module
    config: NetworkConfig
    fitted: trainer.Fitted
    marks: list[float]
    epochs: list[float]

    @property
    def examples_per_second(self) -> float:
        """Of training steps, without validation and without the first epoch if there are more."""
        times = self.epochs[1:] or self.epochs
        return self.fitted.examples / len(self.epochs) * len(times) / sum(times)


def shortened(run: AnyRun, epochs: int, windows: int) -> AnyRun:
    """The run with fewer epochs, which have so many windows of text."""
    changes: dict[str, Any] = {"epochs": epochs}
    if isinstance(run, LanguageRun):
        changes["epoch_tokens"] = windows * run.train.batch_size * run.train.window
    return changed(run, **changes)


def changed(run: AnyRun, **train: Any) -> AnyRun:
    return run.model_copy(update={"train": run.train.model_copy(update=train)})


@dataclass
class Clock:
    """Times of a training."""

    started: float = field(default_factory=time.perf_counter)
    marks: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)


def timed(task_class: type[BaseTask], clock: Clock) -> type[BaseTask]:
    """The class of tasks, with the seconds of the training steps of every epoch."""

    class Timed(task_class):  # type: ignore[valid-type, misc]
        def on_train_epoch_start(self) -> None:
            super().on_train_epoch_start()
            self.steps_started = now()

        def on_validation_epoch_start(self) -> None:
            clock.epochs.append(now() - self.steps_started)
            super().on_validation_epoch_start()

    return Timed


def now() -> float:
    """Seconds, when the GPU has done all its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def fit_run(setting: Setting, run: AnyRun, *, attributes: Mapping[str, Any] | None = None) -> Trained:
    """Train a run as the stage does; a task gets these attributes. It ends with the epoch in which the time is up."""
    folder, clock = setting.folder(run), Clock()
    trainer.seed_everything(run.seed)
    config = networks.describe(run.domain, run.model, prepared.read_facts(folder))
    network = networks.build(config)
    task_class: Any = domains.DOMAINS[run.domain].training.Task
    task = timed(task_class, clock)(network, run.train, folder=folder, seed=run.seed)
    for name, value in (attributes or {}).items():
        setattr(task, name, value)

    def mark(metrics: dict[str, float], epoch: int) -> None:
        clock.marks.append(now() - clock.started)
        task.trainer.should_stop = task.trainer.should_stop or setting.left < 0

    with tempfile.TemporaryDirectory() as resume:
        fitted = trainer.fit(task, run=run.model.name, resume=Path(resume), logger=EpochLogger(mark))
    return Trained(run, network, config, fitted, clock.marks, clock.epochs)


def score(trained: Trained, setting: Setting) -> dict[str, float]:
    """Scores on the test split, by the stage's own evaluation."""
    run, half = trained.run, domains.DOMAINS[trained.run.domain]
    folder = setting.folder(run)
    options = run.evaluate
    if isinstance(run, LanguageRun):
        options = run.evaluate.model_copy(update={"dynamic": None, "cache": None, "samples": 1, "sample_tokens": 20})
    network = trained.network.to(memory_format=networks.MEMORY_FORMAT).to(devices.device()).eval()
    with tempfile.TemporaryDirectory() as details:
        return half.evaluation.evaluate(network, folder, prepared.read_facts(folder), options, Path(details))


def multiply_adds(trained: Trained) -> int:
    return domains.DOMAINS[trained.run.domain].models.multiply_adds(trained.network)
