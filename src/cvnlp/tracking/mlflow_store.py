"""Access to the MLflow experiment of this project: connect, create and end runs, log metrics, mark orphaned runs."""

import contextlib
import json
import logging
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psutil
from filelock import FileLock

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, LifecycleStage, Metric, Param, Run
from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.tracking import MlflowClient

from cvnlp.tracking import address, relocation
from cvnlp.tracking.run_metadata import RunMetadata

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)

EXPERIMENT = "cvnlp"
LOCK_TIMEOUT = 120  # seconds to wait for another process that creates the database
SYSTEM_METRICS_INTERVAL = 2  # seconds
# error codes for an id, a name or an alias that does not exist; all others may be failures of the store
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class Store:
    """MLflow's client and the id of this project's experiment."""

    client: MlflowClient
    experiment: str

    def find_runs(self, condition: str) -> list[Run]:
        """Runs that meet `condition`, in MLflow's search syntax, newest first."""
        return list(self.client.search_runs([self.experiment], condition, order_by=["attributes.start_time DESC"]))

    def get_run(self, run_id: str) -> Run | None:
        """The run with this id; None if this store has none, or it was deleted."""
        if not run_id:
            return None
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise
        usable = run.info.experiment_id == self.experiment and run.info.lifecycle_stage == LifecycleStage.ACTIVE
        return run if usable else None

    def orphaned_runs(self) -> list[Run]:
        """Running runs of this host whose process no longer exists."""
        running = self.find_runs(f"attributes.status = 'RUNNING' and tags.host = '{os.uname().nodename}'")
        return [run for run in running if not may_be_alive(run)]

    def mark_orphaned_runs_killed(self) -> None:
        for run in self.orphaned_runs():
            self.client.set_terminated(run.info.run_id, status="KILLED")

    def create_run(
        self, run: RunMetadata, tags: Mapping[str, str] | None = None, *, started: float | None = None
    ) -> str:
        """Create a run with its params, data set and tags, those of `run` and `tags`; returns its id.

        `started`: seconds since the epoch, by default now.
        """
        known = run.tags | dict(tags or {})
        displayed = {  # MLflow's own names of these tags, which its pages show
            "mlflow.source.name": known.get("dvc.stage", "cvnlp"),
            "mlflow.source.type": "LOCAL",
            **({"mlflow.source.git.commit": known["git.commit"]} if "git.commit" in known else {}),
        }
        begin = None if started is None else int(started * 1000)
        created = self.client.create_run(self.experiment, begin, known | displayed, run.name)
        run_id: str = created.info.run_id
        self.describe_run(run_id, run)
        return run_id

    def find_started(self, run: RunMetadata, tags: Mapping[str, str], started: float) -> str | None:
        """The run that `create_run` has made of the same arguments, though its answer may not have arrived."""
        known = {"run": run.name, **tags}
        conditions = [f"tags.{key} = '{value}'" for key, value in known.items()]
        found = self.find_runs(" and ".join([f"attributes.start_time = {int(started * 1000)}", *conditions]))
        return found[0].info.run_id if found else None

    def describe_run(self, run_id: str, run: RunMetadata) -> None:
        """Log params and data set; a repetition changes nothing."""
        self.client.log_batch(run_id, params=[Param(key, value) for key, value in run.params.items()])
        data = Dataset(run.dataset.name, run.dataset.digest, "local", json.dumps({"uri": run.dataset.source}))
        self.client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    def finish(self, run_id: str, *, ended: float | None) -> None:
        """Set the status FINISHED; `ended`: seconds since the epoch. If it is None, the run has no duration."""
        if ended is None:
            self.client.update_run(run_id, status="FINISHED")
        else:
            self.client.set_terminated(run_id, status="FINISHED", end_time=int(ended * 1000))

    def log_metrics(self, run_id: str, values: Mapping[str, float], step: int = 0) -> None:
        self.log_epochs(run_id, [(values, step, time.time())])

    def log_epochs(self, run_id: str, epochs: Iterable[tuple[Mapping[str, float], int, float]]) -> None:
        """Log metrics of several epochs in one request: values, step, and time in seconds since the epoch.

        A repetition with the same times changes nothing.
        """
        metrics = [
            Metric(key, value, int(at * 1000), step) for values, step, at in epochs for key, value in values.items()
        ]
        self.client.log_batch(run_id, metrics=metrics)

    def logged_epochs(self, run_id: str, names: Iterable[str]) -> set[int]:
        """The epochs of which the run has one of these metrics; those of an epoch are logged together."""
        return {entry.step for name in names for entry in self.client.get_metric_history(run_id, name)}

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_tag(run_id, key, value)


def may_be_alive(run: Run) -> bool:
    """Whether the process that records the run may still exist; only those of this host can be looked up."""
    tags = run.data.tags
    return tags.get("host") == os.uname().nodename and psutil.pid_exists(int(tags.get("pid", "0")))


def connect() -> Store:
    """Open the store, creating database and experiment if needed; safe for several processes at once."""
    # MLflow's default retries take minutes when a server is down; recording must not delay the pipeline
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # "View run ... at", several lines a run
    # logged models have a signature, so that MLflow's warning about a missing input example does not apply
    warnings.filterwarnings("ignore", module=r"mlflow\.pyfunc")
    uri = address.tracking_uri()
    mlflow.set_tracking_uri(uri)
    with FileLock(address.project_root() / ".mlflow.lock", timeout=LOCK_TIMEOUT):
        client = MlflowClient(tracking_uri=uri)
        experiment = _open_experiment(client, uri)
    mlflow.set_experiment(experiment_id=experiment)  # where models are logged
    return Store(client, experiment)


def _open_experiment(client: MlflowClient, uri: str) -> str:
    # without a location of its own, the artifacts of an experiment in a database would go to the current folder
    location = (address.project_root() / "mlflow").as_uri() if address.is_database(uri) else None
    existing = client.get_experiment_by_name(EXPERIMENT)
    if existing is None:
        created: str = client.create_experiment(EXPERIMENT, artifact_location=location)
        return created
    if location and uri == address.own_database() and existing.artifact_location != location:
        relocation.move_artifacts(uri, existing.artifact_location, location)
    found: str = existing.experiment_id
    return found


@contextlib.contextmanager
def system_metrics(run_id: str) -> Iterator[None]:
    """Log processor, memory, disk and GPU usage of this machine to the run while the block runs, if MLflow's variable
    MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING is true. These are a dozen metrics that every comparison would begin with.
    """
    if not MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
        yield
        return
    monitor = SystemMetricsMonitor(
        run_id, sampling_interval=SYSTEM_METRICS_INTERVAL, resume_logging=True, tracking_uri=address.tracking_uri()
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
