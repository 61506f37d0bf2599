"""Searches in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvnlp.tuning import setting, worker
from make_tuned_project import make_tuned_project


class NoRecorder:
    """Stands for MLflow; `runs`: name, values of the metrics, status and tags of every trial."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []

    def start_run(self, run: Any, *, note: Path, parent: Path | None = None) -> None:
        self.runs.append({"name": run.name, "params": run.params, "metrics": [], "parent": parent})

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        self.runs[-1]["metrics"].append((step, values["validation_nll"]))

    def end_run(self, status: str, tags: dict[str, str], *, last: bool = True) -> None:
        self.runs[-1] |= {"status": status, "tags": dict(tags)}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def project(tmp_path: Path, vision_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, which is the current one."""
    return make_tuned_project(tmp_path, vision_data, monkeypatch)


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Callable[..., worker.Worker]:
    """Search in this process up to a number of trials; returns the worker."""
    monkeypatch.setattr(worker, "Recorder", NoRecorder)

    def run(limit: int, *, deadline: float = float("inf"), storage: str | None = None) -> worker.Worker:
        found = worker.Worker(setting.read("first"), storage, limit, deadline)
        found.run()
        return found

    return run
