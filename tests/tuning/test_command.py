"""`cvnlp tune` as a user runs it: processes, signals, and params.yaml afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from cvnlp.tuning import results, search, setting, trials
from make_tuned_project import PARAMS, make_tuned_project

DEADLINE = 120.0  # seconds until a test gives up


@pytest.fixture
def project(tmp_path: Path, vision_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # nothing answers: MLflow is down
    return make_tuned_project(tmp_path, vision_data, monkeypatch)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cvnlp.cli", "tune", "first", *arguments]


def study() -> optuna.Study | None:
    found = setting.read("first")
    return search.find_study(found, trials.open_storage(found.paths.tuning, None))


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.02)


def in_the_middle_of_trial(number: int) -> bool:
    """Whether an epoch of the trial is done, and not all of them."""
    found = study()
    running = found.get_trials(states=[TrialState.RUNNING]) if found else []
    return any(trial.number >= number and trial.intermediate_values for trial in running)


def test_a_search_that_was_killed_goes_on(project: Path) -> None:
    params = PARAMS.replace("epochs: 4 ", "epochs: 60 ")  # seconds for a trial
    (project / "params.yaml").write_text(params, encoding="utf-8")
    started = subprocess.Popen(command("--trials", "3"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: in_the_middle_of_trial(1), started)
    found = study()
    assert found
    (running,) = found.get_trials(states=[TrialState.RUNNING])
    os.kill(running.user_attrs["pid"], signal.SIGKILL)
    started.kill()
    started.communicate()
    done = subprocess.run(command("--trials", "3", "--no-write"), capture_output=True, text=True, check=True)
    (repeated,) = [trial for trial in study().trials if "repeats" in trial.user_attrs]  # type: ignore[union-attr]
    assert repeated.user_attrs["repeats"] == running.number
    assert repeated.user_attrs["values"] == running.user_attrs["values"]
    assert len(results.ended(study())) == 3
    assert f"trial {running.number}:" not in done.stdout  # it has failed, and counts for nothing
    assert (project / "params.yaml").read_text(encoding="utf-8") == params


def test_two_processes_share_a_search_and_only_the_values_of_params_yaml_change(project: Path) -> None:
    done = subprocess.run(command("--trials", "8", "--jobs", "2"), capture_output=True, text=True, check=True)
    found = study()
    assert found
    assert len(results.ended(found)) == len(found.trials) == 8
    assert len({trial.user_attrs["pid"] for trial in found.trials}) == 2
    values = [str(trial.user_attrs["values"]) for trial in found.trials]
    assert len(set(values)) == len(values)
    best = results.best(found)
    assert best and "params.yaml has these values now" in done.stdout
    before, after = PARAMS.splitlines(), (project / "params.yaml").read_text(encoding="utf-8").splitlines()
    assert len(before) == len(after)
    changed = {new.strip().partition(":")[0] for old, new in zip(before, after, strict=True) if old != new}
    assert "lr" in changed and changed <= {"lr", "model", "optimiser"}
    assert "# too low" in "\n".join(after)
    assert setting.read("first").present == best.user_attrs["values"]
    again = subprocess.run(command("--trials", "8"), capture_output=True, text=True, check=True)
    assert "the present values are the best of all trials" in again.stdout


def test_a_signal_ends_the_search_with_its_results(project: Path) -> None:
    started = subprocess.Popen(command("--trials", "50"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: in_the_middle_of_trial(1), started)
    started.send_signal(signal.SIGTERM)
    printed, errors = started.communicate(timeout=DEADLINE)
    assert started.returncode == 128 + signal.SIGTERM
    assert "interrupted (SIGTERM): the same command continues the search" in errors
    assert "setting" in printed and "has these values" not in printed
    assert (project / "reports/tuning/first.csv").is_file()
    assert not list((project / "data/tune/first/work").iterdir())
    found = study()
    assert found and not found.get_trials(states=[TrialState.RUNNING])
    assert (project / "params.yaml").read_text(encoding="utf-8") == PARAMS


def test_a_search_without_any_worker_is_one_line(project: Path) -> None:
    path = project / "data/prepared/pictures/train_images.npy"
    path.write_bytes(path.read_bytes()[:200])
    done = subprocess.run(command(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "train_images.npy" in done.stderr
