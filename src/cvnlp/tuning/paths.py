"""Files of a search in data/tune/<run>, besides Optuna's journal."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class TunePaths:
    """`study`: its name, for the notes of its trials."""

    folder: Path
    study: str

    def note(self, trial: int | None = None) -> Path:
        """The id of the MLflow run of a trial, or of the search."""
        return self.folder / "mlflow" / self.study / ("search" if trial is None else str(trial))

    def log(self, worker: int) -> Path:
        """What a worker prints."""
        return self.folder / f"worker-{worker}.log"

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """A folder for checkpoints of a trial, which are removed with it; those of dead processes are, too."""
        folder = self.folder / "work" / str(os.getpid())
        for left in folder.parent.glob("*"):
            if left.name == folder.name or not psutil.pid_exists(int(left.name)):
                shutil.rmtree(left, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
