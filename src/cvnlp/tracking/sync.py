"""MLflow brought up to the files: every model has its run, and the run holds all that the files say of it.

The files are the truth. A stage that DVC skips or restores logs nothing, and a tracker may have been down: so `report`
looks for each model's run by the model's digest, makes it where it is missing, and completes it.
"""

from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.models import Model, ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from cvnlp import files, provenance
from cvnlp.params import Params
from cvnlp.params.network_config import parse_config
from cvnlp.paths import RunPaths
from cvnlp.tracking import mlflow_store
from cvnlp.tracking.run_metadata import describe

# what a served model needs; without this list MLflow would pin this machine's own variant of torch
REQUIREMENTS = ("torch", "numpy", "safetensors", "pydantic", "ruamel.yaml")


def sync(settings: Params, run: RunPaths, client: MlflowClient, experiment: str) -> str:
    """Complete the run of one model, made if it is missing; returns the MLflow run's id."""
    digest = provenance.model_digest(run.model)
    entry = _find(client, experiment, run.name, digest) or _make(settings, run, client, experiment, digest)
    run_id: str = entry.info.run_id
    state = provenance.digest([files.sha256(path) for path in _evidence(run)])
    if entry.data.tags.get("report.sha256") == state:
        return run_id
    scores = files.read_json(run.training) | _prefixed("test", files.read_json(run.scores))
    scores |= _prefixed("attack", files.read_json(run.attacks))
    scores |= _prefixed("insight", files.read_json(run.insights))
    mlflow_store.log_metrics(client, run_id, scores)
    for stage in ("evaluate", "attack", "insight"):  # tags, for params cannot change and these may, for the same model
        client.set_tag(run_id, f"params.{stage}", getattr(settings.runs[run.name], stage).model_dump_json())
    for folder, name in ((run.evaluation, "evaluation"), (run.figures, "figures")):
        if folder.is_dir():
            client.log_artifacts(run_id, str(folder), name)
    if not client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'"):
        _log_model(run.name, run_id, run.model, digest)
    client.set_tag(run_id, "report.sha256", state)
    return run_id


def _find(client: MlflowClient, experiment: str, run: str, digest: str) -> Run | None:
    """The newest of this name with this model; two runs of params.yaml may well come to the same model."""
    runs = mlflow_store.find_runs(client, experiment, f"tags.`model.sha256` = '{digest}' and tags.run = '{run}'")
    return runs[0] if runs else None


def _make(settings: Params, run: RunPaths, client: MlflowClient, experiment: str, digest: str) -> Run:
    """A run from the files alone: params, data set, the metrics of every epoch."""
    described = describe(settings, run.name, run.dataset, run.prepared)
    tags = described["tags"] | {"model.sha256": digest, "from": "files"}
    run_id = mlflow_store.create_run(
        client, experiment, described["name"], described["params"], tags, described["dataset"]
    )
    for row in pd.read_csv(run.history).to_dict("records"):
        epoch = int(row.pop("epoch"))
        mlflow_store.log_metrics(
            client, run_id, {str(name): value for name, value in row.items() if np.isfinite(value)}, epoch
        )
    client.set_terminated(run_id)
    return client.get_run(run_id)


def _evidence(run: RunPaths) -> list[Path]:
    folders = [folder for folder in (run.evaluation, run.figures) if folder.is_dir()]
    inside = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [run.training, run.scores, run.attacks, run.insights, *inside]


def _prefixed(prefix: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in values.items()}


def _log_model(name: str, run_id: str, folder: Path, digest: str) -> None:
    path = folder / "config.json"
    config = parse_config(path, files.read_json(path))
    example = config.data.example_input()
    inputs = Schema([TensorSpec(example.dtype, (-1, *([-1] * (example.ndim - 1))))])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, -1))])
    Model.log(  # for a finished run, without starting it again
        artifact_path=None,
        name=name,
        flavor=mlflow.pyfunc,
        run_id=run_id,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"model": str(folder)},
        code_paths=[str(Path(__file__).parents[1])],
        signature=ModelSignature(inputs=inputs, outputs=outputs),
        pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS],
        tags={"model.sha256": digest},
    )
