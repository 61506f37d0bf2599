"""Where MLflow keeps its runs, opened safely: one process at a time makes the database."""

import contextlib
import json
import logging
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.tracking import MlflowClient

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

EXPERIMENT = "cvnlp"


def root() -> Path:
    """The repository's root, also from DVC's temporary folders: $DVC_ROOT, else the nearest folder with dvc.yaml."""
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"]).resolve()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), here)


def uri() -> str:
    """$MLFLOW_TRACKING_URI, else a SQLite database at the root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root() / 'mlflow.db'}"


def connect() -> tuple[MlflowClient, str]:
    """A client and the experiment's id; both exist afterwards. Several processes may come at once."""
    # MLflow's own retries on a server that is down take minutes; a view of the files may not hold them up
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    warnings.filterwarnings(
        "ignore", module=r"mlflow\.pyfunc"
    )  # that an input example is missing: the signature is given
    mlflow.set_tracking_uri(uri())
    with FileLock(root() / ".mlflow.lock", timeout=120):
        client = MlflowClient(tracking_uri=uri())
        found = client.get_experiment_by_name(EXPERIMENT)
        # without a location of its own, an experiment's artifacts would follow the current folder
        location = (root() / "mlflow").as_uri() if uri().startswith("sqlite:") else None
        experiment: str = (
            found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=location)
        )
    mlflow.set_experiment(experiment_id=experiment)  # where models are logged
    return client, experiment


def find_runs(client: MlflowClient, experiment: str, condition: str) -> list[Run]:
    """The runs that meet `condition`, the newest first."""
    return list(client.search_runs([experiment], condition, order_by=["attributes.start_time DESC"]))


def bury_the_dead(client: MlflowClient, experiment: str) -> None:
    """Mark as KILLED the runs of this host that say RUNNING but whose process is gone."""
    host = os.uname().nodename
    for run in find_runs(client, experiment, f"attributes.status = 'RUNNING' and tags.host = '{host}'"):
        if not psutil.pid_exists(int(run.data.tags.get("pid", "0"))):
            client.set_terminated(run.info.run_id, status="KILLED")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, keys joined with dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def create_run(
    client: MlflowClient,
    experiment: str,
    name: str,
    params: dict[str, Any],
    tags: dict[str, str],
    dataset: dict[str, str],
) -> str:
    """A new run with its params (nested keys joined with dots), tags and data set {name, digest, source}; its id."""
    shown = {  # where the UI looks for them
        "mlflow.source.name": tags.get("dvc.stage", "cvnlp"),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": tags.get("git.commit", ""),
    }
    run_id: str = client.create_run(experiment, run_name=name, tags=tags | shown).info.run_id
    entries = [Param(key, str(value)) for key, value in flat(params).items()]
    client.log_batch(run_id, params=entries)
    entity = Dataset(dataset["name"], dataset["digest"], "local", json.dumps({"uri": dataset["source"]}))
    client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])
    return run_id


def log_metrics(client: MlflowClient, run_id: str, values: dict[str, float], step: int = 0) -> None:
    now = int(time.time() * 1000)
    client.log_batch(run_id, metrics=[Metric(key, value, now, step) for key, value in values.items()])


@contextlib.contextmanager
def system_metrics(run_id: str) -> Iterator[None]:
    """Processor, memory, disk and GPU of this machine, into the run, every other second."""
    monitor = SystemMetricsMonitor(run_id, sampling_interval=2, resume_logging=True, tracking_uri=uri())
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
