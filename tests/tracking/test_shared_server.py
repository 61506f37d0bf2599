"""A server for several machines: PostgreSQL as database, artifacts in S3 through the server's proxy."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

import postgres
from cvnlp import files, provenance
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.tracking import logged_model, mlflow_store, sync
from fork_server import ForkServer
from mlflow_server import Server
from postgres import Postgres
from s3_server import S3, start_s3

SRC = Path(__file__).parents[2] / "src"
DATA = "datasets:\n  made: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}\nruns:\n"
RUN = """\
  {name}:
    {{domain: vision, dataset: made, seed: {seed}, model: {{name: mlp, hidden: [16]}}, attack: {{eps: [0.1]}},
     train: {{epochs: 6, batch_size: 64}}, evaluate: {{}}, insight: {{}}, gates: {{minimum_accuracy: 0.1}}}}
"""
NAMES = ("first", "second", "third", "fourth")
EPOCHS = 6
WAIT = 240  # seconds
# The stage `train`, which waits for a file before each epoch, and leaves a file when it has recorded an epoch
PAUSED = """
import sys, time
from pathlib import Path
from cvnlp.stages import command_line
from cvnlp.stages import train as stage

class Recorder(stage.Recorder):
    def log_metrics(self, values, step):
        while not Path(f"go/{step}").exists():
            time.sleep(0.05)
        super().log_metrics(values, step)
        Path(f"done/{sys.argv[-1]}.{step}").touch()

stage.Recorder = Recorder
command_line.run(stage.train, item="run")
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    if postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    made = Postgres("geheim /wort?@#%")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def storage() -> Iterator[S3]:
    with start_s3("artifacts") as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database: Postgres, storage: S3) -> Iterator[Server]:
    made = Server(
        tmp_path_factory.mktemp("server"),
        database=database.uri,
        artifacts="s3://artifacts/mlflow",
        environment=storage.environment | {"MLFLOW_S3_ENDPOINT_URL": storage.address, "PGPASSWORD": database.password},
    )
    yield made
    made.stop()


@pytest.fixture
def project(tmp_path: Path, vision_data: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> ProjectPaths:
    (tmp_path / "dvc.yaml").touch()
    runs = "".join(RUN.format(name=name, seed=number) for number, name in enumerate(NAMES))
    files.write_text(tmp_path / "params.yaml", DATA + runs)
    shutil.copytree(vision_data, tmp_path / "data/prepared/made")
    for name in ("go", "done"):
        (tmp_path / name).mkdir()
    for name in os.environ:
        if name.startswith(("DVC_", "MLFLOW_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{server.host}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # as in mlflow_store.connect
    monkeypatch.setenv("PYTHONPATH", str(SRC))
    monkeypatch.chdir(tmp_path)
    content = logged_model.content  # without the code of the project, hundreds of files per model
    monkeypatch.setattr(logged_model, "content", lambda *arguments: content(*arguments) | {"code_paths": None})
    return ProjectPaths(tmp_path)


def start_training(run: str, fork_server: ForkServer | None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PAUSED, "--run", run],
        env=os.environ | (fork_server.environment() if fork_server else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def let_go(epochs: range) -> None:
    for epoch in epochs:
        Path(f"go/{epoch}").touch()


def wait_for(condition: Callable[[], bool], trainings: list["subprocess.Popen[str]"]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        for training in trainings:
            assert training.poll() is None, training.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(client: MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name("cvnlp")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def have(client: MlflowClient, epoch: int) -> bool:
    """Whether all runs have recorded this epoch; False while the server fails."""
    try:
        found = runs(client)
    except MlflowException:
        return False
    steps = [max([metric.step for metric in run.data._metric_objs], default=-1) for run in found]
    return len(found) == len(NAMES) and min(steps) >= epoch


def write_other_results(run: RunPaths) -> None:
    """What the stages after the training leave."""
    for path, name in ((run.scores, "accuracy"), (run.attacks, "accuracy_worst_case_0.1"), (run.insights, "detail")):
        files.write_scores(path, {name: 0.5, "images": 50}, metrics=[name])
    files.write_text(run.evaluation / "predictions.csv", "index\n0\n")
    files.write_text(run.figures / "curves.svg", "<svg/>")


def test_four_trainings_lose_nothing_while_the_server_or_its_database_is_down(
    project: ProjectPaths, server: Server, database: Postgres, storage: S3, fork_server: ForkServer | None
) -> None:
    client = MlflowClient(f"http://{server.host}")
    let_go(range(2))
    trainings = [start_training(name, fork_server) for name in NAMES]
    wait_for(lambda: have(client, 1), trainings)
    for part, first, last in ((server, 2, 3), (database, 4, 4)):
        part.stop()
        let_go(range(first, last + 1))
        wait_for(lambda epoch=last: all(Path(f"done/{name}.{epoch}").exists() for name in NAMES), trainings)
        part.start()
        wait_for(lambda epoch=last: have(client, epoch), trainings)  # recorders catch up while the trainings run
    let_go(range(5, EPOCHS))
    outputs = [training.communicate()[0] for training in trainings]
    assert [training.returncode for training in trainings] == [0] * len(NAMES), outputs
    assert not [output for output in outputs if "warning" in output]
    check_trained(client, project)
    settings, store = read_params(project.params), mlflow_store.connect()
    before = {run.info.run_id for run in runs(client)}
    for name in NAMES:
        write_other_results(project.run(name, "made"))
    sync.complete_all(settings, project, store)
    assert {run.info.run_id for run in runs(client)} == before
    check_complete(client, project, storage)
    for name in NAMES:  # a clone has no records of trainings
        shutil.rmtree(project.run(name, "made").records)
    stored = storage.names("artifacts")
    sync.complete_all(settings, project, store)
    assert ({run.info.run_id for run in runs(client)}, storage.names("artifacts")) == (before, stored)


def check_trained(client: MlflowClient, project: ProjectPaths) -> None:
    """One finished run per model, with every value of its history."""
    found = {run.info.run_name: run for run in runs(client)}
    assert len(runs(client)) == len(found) == len(NAMES)
    for name, run in found.items():
        paths = project.run(name, "made")
        assert (run.info.status, run.data.params["model.hidden"]) == ("FINISHED", "[16]")
        assert run.data.tags["model.sha256"] == provenance.model_digest(paths.model)
        history = pd.read_csv(paths.history).set_index("epoch").drop(columns="step")
        assert list(history.index) == list(range(EPOCHS))
        for metric, values in history.items():
            logged = [(entry.step, entry.value) for entry in client.get_metric_history(run.info.run_id, str(metric))]
            assert len(logged) == EPOCHS and dict(logged) == pytest.approx(values.to_dict(), rel=1e-5)


def check_complete(client: MlflowClient, project: ProjectPaths, storage: S3) -> None:
    """Scores, figures and models of all runs are in S3, and nothing is in the project's folder."""
    for run in runs(client):
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        assert {entry.path for entry in client.list_artifacts(run.info.run_id)} == {
            "evaluation",
            "figures",
            "scores.json",
        }
    (experiment,) = {run.info.experiment_id for run in runs(client)}
    assert sorted(model.name for model in client.search_logged_models([experiment])) == sorted(NAMES)
    stored = storage.names("artifacts")
    assert all(name.startswith(f"mlflow/{experiment}/") for name in stored)
    for ending in ("/figures/curves.svg", "/model.safetensors"):
        assert len([name for name in stored if name.endswith(ending)]) == len(NAMES)
    assert not {"mlflow", "mlflow.db", "mlruns"} & {path.name for path in project.root.iterdir()}
