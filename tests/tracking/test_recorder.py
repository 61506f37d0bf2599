"""A training shown in MLflow by a process of its own."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from mlflow.entities import Experiment, Run
from mlflow.tracking import MlflowClient

from fork_server import ForkServer

TRAINING = """
import os, sys
from pathlib import Path
from cvnlp.tracking.recorder import Recorder
from cvnlp.tracking.run_metadata import DatasetReference, RunMetadata
recorder = Recorder()
dataset = DatasetReference(name="Ziffern für alle", digest="abc", source="data")
run = RunMetadata(name="cnn", params={"train.lr": "0.1"}, tags={"run": "cnn"}, dataset=dataset)
recorder.start_run(run, note=Path("resume/id"))
recorder.log_metrics({"validation_nll": 2.0}, 0)
print(recorder._process.pid, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


@pytest.fixture
def quick(folder: Path, empty_database: Path, fork_server: ForkServer | None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with a database, where the recording process starts without imports."""
    shutil.copy(empty_database, folder)
    for name, value in (fork_server.environment() if fork_server else {}).items():
        monkeypatch.setenv(name, value)
    return folder


def train(folder: Path, ending: str) -> subprocess.CompletedProcess[str]:
    """Run TRAINING and `ending`, then wait for the tracker, which outlives a killed training."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINING + ending], cwd=folder, capture_output=True, text=True, check=False
    )
    tracker = int(done.stdout.split()[0])
    if psutil.pid_exists(tracker):
        psutil.Process(tracker).wait(timeout=120)
    return done


def only_run(folder: Path) -> tuple[MlflowClient, Experiment, Run]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = [found for found in client.search_experiments() if found.name == "cvnlp"]
    (run,) = client.search_runs([experiment.experiment_id])
    return client, experiment, run


def test_a_finished_training_is_a_finished_run_with_all_messages(folder: Path) -> None:
    train(
        folder,
        "recorder.log_metrics({'validation_nll': 1.0}, 1); recorder.end_run('FINISHED', {'model.sha256': 'f00'})",
    )
    client, experiment, run = only_run(folder)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "cnn"
    assert run.data.params["train.lr"] == "0.1"
    assert run.data.tags["model.sha256"] == "f00"
    assert run.inputs.dataset_inputs[0].dataset.name == "Ziffern für alle"
    steps = [(entry.step, entry.value) for entry in client.get_metric_history(run.info.run_id, "validation_nll")]
    assert sorted(steps) == [(0, 2.0), (1, 1.0)]
    assert experiment.artifact_location == (folder / "mlflow").as_uri()
    assert not (folder / "mlruns").exists()


@pytest.mark.parametrize("where", ["folder", "quick"])
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_training_is_a_killed_run(where: str, death: signal.Signals, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(where)
    done = train(folder, f"os.kill(os.getpid(), {int(death)})")
    assert done.returncode == -death
    assert only_run(folder)[2].info.status == "KILLED"


def test_a_training_refused_before_it_began_is_no_run(folder: Path) -> None:
    begin = (
        "from cvnlp.tracking.recorder import Recorder; recorder = Recorder(); print(recorder._process.pid, flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{begin}; raise SystemExit('refused')"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "refused" in done.stderr
    tracker = int(done.stdout.split()[0])
    if psutil.pid_exists(tracker):
        psutil.Process(tracker).wait(timeout=120)
    assert not (folder / "mlflow.db").exists()


def test_a_resumed_training_continues_its_run(quick: Path) -> None:
    train(quick, "os.kill(os.getpid(), 9)")
    train(quick, "recorder.end_run('FINISHED')")
    assert only_run(quick)[2].info.status == "FINISHED"


def test_a_server_that_is_down_is_one_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = train(folder, "recorder.end_run('FINISHED'); print('trained')")
    assert done.returncode == 0
    assert "trained" in done.stdout
    assert done.stderr.count("warning: not recorded in MLflow") == 1
    assert "Traceback" not in done.stderr


def test_an_orphaned_run_is_marked_killed_at_the_next_start(quick: Path) -> None:
    train(quick, "os.kill(os.getpid(), 9)")
    client, experiment, run = only_run(quick)
    client.update_run(run.info.run_id, status="RUNNING")  # as a tracker leaves it that was killed as well
    (quick / "resume/id").unlink()
    train(quick, "recorder.end_run('FINISHED')")
    statuses = {found.info.run_id: found.info.status for found in client.search_runs([experiment.experiment_id])}
    assert statuses.pop(run.info.run_id) == "KILLED"
    assert list(statuses.values()) == ["FINISHED"]


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_only_the_process_of_rank_zero_records(folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    code = TRAINING.partition("print(")[0] + "recorder.end_run('FINISHED')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    assert list(folder.iterdir()) == [folder / "dvc.yaml"]


def test_metrics_that_are_no_numbers_are_recorded(quick: Path) -> None:
    train(quick, "recorder.log_metrics({'loss': float('nan'), 'norm': float('inf')}, 1); recorder.end_run('FAILED')")
    _, _, run = only_run(quick)
    assert run.info.status == "FAILED"
    assert {"loss", "norm"} <= set(run.data.metrics)


def test_processes_that_meet_a_fresh_database_all_find_one_experiment(folder: Path) -> None:
    code = "from cvnlp.tracking import mlflow_store; print(mlflow_store.connect().experiment)"
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    found = [process.communicate()[0].split()[-1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(set(found)) == 1
