"""How each model was trained: commit, experiment, duration and MLflow run. Imports no MLflow.

A record is written when a training ends and is no output of DVC: it differs every time, and a model that DVC restores
keeps the record of its training. A fresh clone has the models of a remote, but no records.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cvnlp import files
from cvnlp.paths import RunPaths


class TrainingRecord(BaseModel):
    """`ended`: seconds since the epoch; `seconds` of training; `mlflow_run`: its id, None if MLflow was unreachable."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tags: dict[str, str]
    ended: float
    seconds: float
    mlflow_run: str | None


def write(run: RunPaths, model: str, record: TrainingRecord) -> None:
    """`model`: its digest."""
    files.write_json(_path(run, model), record.model_dump())


def read(run: RunPaths, model: str) -> TrainingRecord | None:
    """The record of this model, None if it was trained elsewhere."""
    path = _path(run, model)
    return TrainingRecord.model_validate(files.read_json(path)) if path.is_file() else None


def _path(run: RunPaths, model: str) -> Path:
    return run.records / f"{model[:16]}.json"
