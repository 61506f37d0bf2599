"""Access to the MLflow experiment of this project: connect, create runs, log metrics, mark orphaned runs."""

import contextlib
import json
import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.tracking import MlflowClient

from cvnlp.tracking.run_metadata import RunMetadata

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

EXPERIMENT = "cvnlp"
LOCK_TIMEOUT = 120  # seconds to wait for another process that creates the database
SYSTEM_METRICS_INTERVAL = 2  # seconds


def project_root() -> Path:
    """The project's folder, also within DVC's temporary ones: $DVC_ROOT, else the nearest folder with dvc.yaml."""
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"]).resolve()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), here)


def tracking_uri() -> str:
    """$MLFLOW_TRACKING_URI, else a SQLite database in the project's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


@dataclass(frozen=True)
class Store:
    """MLflow's client and the id of this project's experiment."""

    client: MlflowClient
    experiment: str

    def find_runs(self, condition: str) -> list[Run]:
        """Runs that meet `condition`, in MLflow's search syntax, newest first."""
        return list(self.client.search_runs([self.experiment], condition, order_by=["attributes.start_time DESC"]))

    def mark_orphaned_runs_killed(self) -> None:
        """Set the status KILLED for running runs of this host whose process no longer exists."""
        host = os.uname().nodename
        for run in self.find_runs(f"attributes.status = 'RUNNING' and tags.host = '{host}'"):
            if not psutil.pid_exists(int(run.data.tags.get("pid", "0"))):
                self.client.set_terminated(run.info.run_id, status="KILLED")

    def create_run(self, run: RunMetadata, tags: Mapping[str, str] | None = None) -> str:
        """Create a run with its params, data set and tags, those of `run` and `tags`; returns its id."""
        known = run.tags | dict(tags or {})
        displayed = {  # MLflow's own names of these tags, which its pages show
            "mlflow.source.name": known.get("dvc.stage", "cvnlp"),
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": known.get("git.commit", ""),
        }
        created = self.client.create_run(self.experiment, run_name=run.name, tags=known | displayed)
        run_id: str = created.info.run_id
        self.client.log_batch(run_id, params=[Param(key, value) for key, value in run.params.items()])
        data = Dataset(run.dataset.name, run.dataset.digest, "local", json.dumps({"uri": run.dataset.source}))
        self.client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
        return run_id

    def log_metrics(self, run_id: str, values: Mapping[str, float], step: int = 0) -> None:
        now = int(time.time() * 1000)
        self.client.log_batch(run_id, metrics=[Metric(key, value, now, step) for key, value in values.items()])

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_tag(run_id, key, value)


def connect() -> Store:
    """Open the store, creating database and experiment if needed; safe for several processes at once."""
    # MLflow's default retries take minutes when a server is down; recording must not delay the pipeline
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # logged models have a signature, so that MLflow's warning about a missing input example does not apply
    warnings.filterwarnings("ignore", module=r"mlflow\.pyfunc")
    mlflow.set_tracking_uri(tracking_uri())
    with FileLock(project_root() / ".mlflow.lock", timeout=LOCK_TIMEOUT):
        client = MlflowClient(tracking_uri=tracking_uri())
        existing = client.get_experiment_by_name(EXPERIMENT)
        experiment: str = existing.experiment_id if existing else _create_experiment(client)
    mlflow.set_experiment(experiment_id=experiment)  # where models are logged
    return Store(client, experiment)


def _create_experiment(client: MlflowClient) -> str:
    # without a location of its own, an experiment's artifacts would go to the current folder
    location = (project_root() / "mlflow").as_uri() if tracking_uri().startswith("sqlite:") else None
    experiment: str = client.create_experiment(EXPERIMENT, artifact_location=location)
    return experiment


@contextlib.contextmanager
def system_metrics(run_id: str) -> Iterator[None]:
    """Log processor, memory, disk and GPU usage of this machine to the run while the block runs."""
    monitor = SystemMetricsMonitor(
        run_id, sampling_interval=SYSTEM_METRICS_INTERVAL, resume_logging=True, tracking_uri=tracking_uri()
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
