"""MLflow completed from the files: every model gets its run, and the run all scores, figures and the model itself.

All results are files. A stage that DVC skips or restores logs nothing, and MLflow may have been unreachable; so the
stage `report` finds each model's run by the model's digest, creates it if it is missing, and completes it.
"""

from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from cvnlp import files, provenance
from cvnlp.params import Params
from cvnlp.params.network_config import parse_config
from cvnlp.paths import RunPaths
from cvnlp.tracking.mlflow_store import Store
from cvnlp.tracking.run_metadata import describe

# what a logged model needs; without this list MLflow would pin this machine's own build of torch
REQUIREMENTS = ("torch", "numpy", "safetensors", "pydantic", "ruamel.yaml")


def sync(settings: Params, run: RunPaths, store: Store) -> str:
    """Complete the MLflow run of one model, creating it if it is missing; returns its id."""
    digest = provenance.model_digest(run.model)
    entry = _find(store, run.name, digest) or _create(settings, run, store, digest)
    run_id: str = entry.info.run_id
    state = provenance.digest([files.sha256(path) for path in _evidence(run)])
    if entry.data.tags.get("report.sha256") == state:
        return run_id
    store.log_metrics(run_id, _scores(run))
    for folder, name in ((run.evaluation, "evaluation"), (run.figures, "figures")):
        if folder.is_dir():
            store.client.log_artifacts(run_id, str(folder), name)
    if not store.client.search_logged_models([store.experiment], filter_string=f"source_run_id = '{run_id}'"):
        _log_model(run, run_id, digest)
    store.set_tags(run_id, _later_params(settings, run) | {"report.sha256": state})  # last: everything is complete
    return run_id


def _find(store: Store, run: str, digest: str) -> Run | None:
    """The newest run of this name with this model; two runs of params.yaml may train the same model."""
    return next(iter(store.find_runs(f"tags.`model.sha256` = '{digest}' and tags.run = '{run}'")), None)


def _create(settings: Params, run: RunPaths, store: Store, digest: str) -> Run:
    """Create a run from the files alone: params, data set, the metrics of every epoch."""
    run_id = store.create_run(describe(settings, run), {"model.sha256": digest, "from": "files"})
    for row in pd.read_csv(run.history).to_dict("records"):
        epoch = int(row.pop("epoch"))
        store.log_metrics(run_id, {str(name): value for name, value in row.items() if np.isfinite(value)}, epoch)
    store.client.set_terminated(run_id)
    return store.client.get_run(run_id)


def _evidence(run: RunPaths) -> list[Path]:
    """The files that a complete MLflow run reflects."""
    folders = [folder for folder in (run.evaluation, run.figures) if folder.is_dir()]
    inside = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [run.training, run.scores, run.attacks, run.insights, *inside]


def _scores(run: RunPaths) -> dict[str, float]:
    """All scores of a run, with the stage as prefix: "test/accuracy"."""
    scores: dict[str, float] = files.read_json(run.training)
    for prefix, path in (("test", run.scores), ("attack", run.attacks), ("insight", run.insights)):
        scores |= {f"{prefix}/{name}": value for name, value in files.read_json(path).items()}
    return scores


def _later_params(settings: Params, run: RunPaths) -> dict[str, str]:
    """Params of the stages after training, as tags: MLflow's params cannot change, these may for the same model."""
    block = settings.runs[run.name]
    later = {"evaluate": block.evaluate, "attack": block.attack, "insight": block.insight}
    return {f"params.{stage}": options.model_dump_json() for stage, options in later.items()}


def _log_model(run: RunPaths, run_id: str, digest: str) -> None:
    path = run.model / "config.json"
    config = parse_config(path, files.read_json(path))
    example = config.data.example_input()
    inputs = Schema([TensorSpec(example.dtype, (-1, *([-1] * (example.ndim - 1))))])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, -1))])
    Model.log(  # adds to a finished run without starting it again
        artifact_path=None,
        name=run.name,
        flavor=mlflow.pyfunc,
        run_id=run_id,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"model": str(run.model)},
        code_paths=[str(Path(__file__).parents[1])],
        signature=ModelSignature(inputs=inputs, outputs=outputs),
        pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS],
        tags={"model.sha256": digest},
    )
