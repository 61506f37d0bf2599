"""`cvnlp ui` prints the link to the runs and serves them, or names the server that does."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

SRC = Path(__file__).parents[2] / "src"
TRAINING_VIEW = "?workflowType=machine_learning"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a ? in the name"
    folder.mkdir()
    (folder / "dvc.yaml").touch()
    return folder


def start(project: Path, port: int, **environment: str) -> "subprocess.Popen[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "cvnlp.cli", "ui", "--port", str(port)],
        cwd=project,
        env=inherited | {"PYTHONPATH": str(SRC), "MLFLOW_DISABLE_TELEMETRY": "true"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def answer(url: str, process: "subprocess.Popen[str]") -> requests.Response:
    """The answer of a server that has just been started."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return requests.get(url, timeout=60)
        except requests.ConnectionError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)


def test_the_link_opens_the_training_view_of_the_projects_experiment(project: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(project, port)
    assert process.stdout and process.stderr
    link = process.stdout.readline().strip()
    server, _, place = link.partition("/#/experiments/")
    assert (server, place) == (f"http://127.0.0.1:{port}", f"1{TRAINING_VIEW}"), process.stderr.read()
    found = answer(f"{server}/api/2.0/mlflow/experiments/get?experiment_id=1", process).json()["experiment"]
    assert found["name"] == "cvnlp"
    assert {path.name for path in project.iterdir()} <= {"dvc.yaml", "mlflow.db", ".mlflow.lock"}
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal
    output, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in output + errors
    with pytest.raises(requests.ConnectionError):
        requests.get(server, timeout=60)


def test_a_used_port_is_named(project: Path, port: int) -> None:
    process = start(project, port)
    output, errors = process.communicate()
    assert (process.returncode, output) == (1, "")
    assert errors == f"error: port {port} of 127.0.0.1: Address already in use; choose another one with --port\n"


def test_a_server_that_does_not_answer_is_named_without_its_password(project: Path, port: int) -> None:
    process = start(project, port, MLFLOW_TRACKING_URI="http://me:secret@127.0.0.1:9/mlflow")
    output, errors = process.communicate()
    assert (process.returncode, output) == (1, "")
    assert errors.splitlines()[-1].startswith("error: MLflow at http://127.0.0.1:9/mlflow does not answer (")
    assert "Traceback" not in errors and "secret" not in errors
