"""Read a run from MLflow: its params, its scores, and the folder of its evaluation."""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from cvnlp import files
from cvnlp.tracking import address, mlflow_store
from cvnlp.tracking.mlflow_store import Store
from cvnlp.tracking.run_metadata import flatten

SCORES, EVALUATION = "scores.json", "evaluation"  # artifacts that `sync` logs
LATER = "params."  # tags with the params of the stages after training


@dataclass(frozen=True)
class StoredRun:
    """`params` as text, with the keys of params.yaml; `evaluation`: a temporary copy of what `evaluate` has written."""

    params: Mapping[str, str]
    scores: Mapping[str, Any]
    training: Mapping[str, Any]
    evaluation: Path


@contextlib.contextmanager
def open_run(run_id: str) -> Iterator[StoredRun]:
    """The run with this id, whose files exist while the block runs; ValueError if it does not exist or has no scores.

    Passwords of the address are masked in messages.
    """
    with tempfile.TemporaryDirectory(prefix="cvnlp-") as folder:
        try:
            found = _download(run_id, Path(folder))
        except MlflowException as error:
            raise ValueError(f"MLflow's run {run_id} cannot be read ({address.one_line(error)})") from None
        yield found


def _download(run_id: str, folder: Path) -> StoredRun:
    store = _store()
    run = store.get_run(run_id)
    if run is None:
        raise ValueError(f"MLflow has no run {run_id!r} of this project in {address.mask(address.tracking_uri())}")
    present = {one.path for one in store.client.list_artifacts(run_id)}
    if SCORES not in present:
        raise ValueError(f"MLflow's run {run_id} has no scores yet: `dvc repro` adds them when the run is evaluated")
    for name in sorted(present & {SCORES, EVALUATION}):
        store.client.download_artifacts(run_id, name, str(folder))
    scores = files.read_json(folder / SCORES)
    return StoredRun(_params(run), scores["test"], scores["training"], folder / EVALUATION)


def _store() -> Store:
    """The store, which is not created: a comparison reads only."""
    uri = address.tracking_uri()
    database = address.project_root() / "mlflow.db"
    if uri == address.own_database() and not database.is_file():
        raise ValueError(f"there is no MLflow database ({database}): `dvc repro` creates it from the files")
    return mlflow_store.connect()


def _params(run: Run) -> dict[str, str]:
    tags = {key.removeprefix(LATER): value for key, value in run.data.tags.items() if key.startswith(LATER)}
    later = flatten({stage: json.loads(value) for stage, value in tags.items()})
    return dict(run.data.params) | {"domain": run.data.tags["domain"]} | {key: str(one) for key, one in later.items()}
