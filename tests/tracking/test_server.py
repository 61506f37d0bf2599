"""Trainings and reports with a real server, whose address has a password."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from cvnlp import files
from cvnlp.paths import ProjectPaths, RunPaths
from fork_server import ForkServer
from mlflow_server import Server

PARAMS = """\
datasets:
  made: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
runs:
  first:
    {domain: vision, dataset: made, seed: 1, model: {name: mlp, hidden: [16]}, train: {epochs: 4, batch_size: 64},
     evaluate: {}, insight: {}, attack: {eps: [0.1], images: 20, attacks: {pgd: {steps: 2}},
              smallest: null, targeted: null, spatial: null, corruptions: null}}
"""
PASSWORD = "geheim/wort?"
ADDRESS = "http://someone:geheim%2Fwort%3F@{host}"
SRC = Path(__file__).parents[2] / "src"
# The stage `train`, which waits before the third epoch until a file exists
PAUSED = """
import sys, time
from pathlib import Path
from cvnlp.stages import command_line
from cvnlp.stages import train as stage

class Recorder(stage.Recorder):
    def log_metrics(self, values, step):
        while step == 2 and not Path("continue").exists():
            time.sleep(0.05)
        super().log_metrics(values, step)

stage.Recorder = Recorder
command_line.run(stage.train, item="run")
"""


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "served.db")
    made = Server(folder)
    yield made
    made.stop()


@pytest.fixture
def run(tmp_path: Path, vision_data: Path) -> RunPaths:
    (tmp_path / "dvc.yaml").touch()
    files.write_text(tmp_path / "params.yaml", PARAMS)
    shutil.copytree(vision_data, tmp_path / "data/prepared/made")
    return ProjectPaths(tmp_path).run("first", "made")


@pytest.fixture(autouse=True)
def stages_without_imports(fork_server: ForkServer | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (fork_server.environment() if fork_server else {}).items():
        monkeypatch.setenv(name, value)


def start(run: RunPaths, server: Server, *command: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    environment |= {"PYTHONPATH": str(SRC), "MLFLOW_TRACKING_URI": ADDRESS.format(host=server.host)}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=run.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert PASSWORD not in output and "geheim" not in output
    assert "View run" not in output
    return output


def stage(run: RunPaths, server: Server, name: str) -> str:
    item = [] if name == "report" else ["--run", "first"]
    return finish(start(run, server, "-m", f"cvnlp.stages.{name}", *item))


def test_a_server_that_dies_during_a_training_has_one_complete_run_after_the_report(
    run: RunPaths, server: Server
) -> None:
    training = start(run, server, "-c", PAUSED, "--run", "first")
    client = MlflowClient(f"http://{server.host}")
    deadline = time.monotonic() + 120
    while not any(found.data.metrics for found in runs(client)):  # the first epochs have arrived
        assert training.poll() is None and time.monotonic() < deadline
    server.stop()
    (run.root / "continue").touch()
    assert finish(training).count("warning: not recorded in MLflow") == 1
    for name in ("evaluate", "attack", "insight"):
        stage(run, server, name)
    assert stage(run, server, "report").count("warning: MLflow is not up to date") == 1
    server.start()
    (orphan,) = runs(client)
    assert orphan.info.status == "RUNNING"
    assert "warning" not in stage(run, server, "report")
    (complete,) = runs(client)
    assert (complete.info.run_id, complete.info.status) == (orphan.info.run_id, "FINISHED")
    assert {entry.step for entry in client.get_metric_history(orphan.info.run_id, "validation_nll")} == {0, 1, 2, 3}
    assert "test/accuracy" in complete.data.metrics
    assert len(client.search_logged_models(["1"])) == 1
    link = finish(start(run, server, "-m", "cvnlp.cli", "ui"))
    assert link == f"http://{server.host}/#/experiments/1?workflowType=machine_learning\n"


def runs(client: MlflowClient) -> list[Any]:
    experiment = client.get_experiment_by_name("cvnlp")
    return client.search_runs([experiment.experiment_id]) if experiment else []
