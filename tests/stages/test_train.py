"""The stage that trains: what it writes, how MLflow's run ends, and that no work is lost."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cvnlp import files, networks, provenance
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.stages import train as stage

PARAMS = """\
datasets:
  made: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
runs:
  first:
    {domain: vision, dataset: made, seed: 1, model: {name: mlp, hidden: [16], dropout: 0.2}, evaluate: {},
     train: {epochs: 4, batch_size: 64, augment: {shift: 1}}, attack: {eps: [0.1]}, insight: {}}
"""

# The stage in a process that gets a signal while the metrics of the third epoch are logged
STOPPED = """
import os, sys
from cvnlp.stages import command_line
from cvnlp.stages import train as stage

number = int(sys.argv.pop())

class Recorder:
    def start_run(self, run, *, note): pass
    def end_run(self, status, tags=None): print("MLflow's run:", status)
    def log_metrics(self, values, step):
        if step == 2:
            os.kill(os.getpid(), number)

stage.Recorder = Recorder
command_line.run(stage.train, item="run")
"""


def command(paths: RunPaths, number: int) -> list[str]:
    """Train until the signal; 0 is none."""
    return [sys.executable, "-c", STOPPED, "--run", "first", "--root", str(paths.root), str(number)]


def notice_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is behind & with it ignored


def stop(paths: RunPaths, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(paths, int(number)), capture_output=True, text=True, check=False, preexec_fn=notice_ctrl_c
    )


class FakeRecorder:
    """Stands for MLflow: the epochs that are logged, and how the run ends."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.status, self.tags = "", {}

    def start_run(self, run: Any, *, note: Path) -> None:
        """The test needs no run."""

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        self.epochs.append(step)

    def end_run(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        self.status, self.tags = status, dict(tags or {})


@pytest.fixture
def paths(tmp_path: Path, vision_data: Path) -> RunPaths:
    """A project with one run."""
    project = ProjectPaths(tmp_path)
    files.write_text(project.params, PARAMS)
    project.prepared("made").parent.mkdir(parents=True)
    project.prepared("made").symlink_to(vision_data)
    return project.run("first", "made")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> FakeRecorder:
    """The recorder of all trainings of a test."""
    fake = FakeRecorder()
    monkeypatch.setattr(stage, "Recorder", lambda: fake)
    return fake


def weights(paths: RunPaths) -> bytes:
    return (paths.model / networks.WEIGHTS).read_bytes()


def test_model_history_sizes_and_duration_are_written(paths: RunPaths, recorder: FakeRecorder) -> None:
    stage.train("first", paths.root)
    network, _ = networks.load(paths.model)
    history = pd.read_csv(paths.history)
    assert history["epoch"].tolist() == recorder.epochs == [0, 1, 2, 3]
    written = files.read_scores(paths.training)
    assert written["best_epoch"] == history["validation_nll"].idxmin()
    assert (written["epochs"], written["examples"]) == (4, 4 * 300)
    assert written["parameters"] == networks.parameter_count(network)
    assert files.read_json(paths.durations)["seconds"] > 0
    assert recorder.status == "FINISHED"
    assert recorder.tags == {"model.sha256": provenance.model_digest(paths.model)}
    assert not list(paths.resume.glob("*"))


def test_a_killed_training_is_resumed_to_the_same_bytes(paths: RunPaths, recorder: FakeRecorder) -> None:
    stage.train("first", paths.root)
    whole, history = weights(paths), paths.history.read_bytes()
    killed = stop(paths, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (folder,) = paths.resume.iterdir()
    recorder.epochs.clear()
    stage.train("first", paths.root)
    assert recorder.epochs == [2, 3]
    assert weights(paths) == whole and paths.history.read_bytes() == history
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_training_in_one_line_and_the_next_one_resumes(
    number: signal.Signals, paths: RunPaths, recorder: FakeRecorder
) -> None:
    stopped = stop(paths, number)
    assert stopped.returncode == 128 + number, stopped.stderr
    assert stopped.stderr == (
        f"train first: interrupted ({number.name}): the next `dvc repro` resumes from epoch 3 of 4\n"
    )
    assert stopped.stdout.splitlines()[-1] == "MLflow's run: KILLED"
    assert not paths.model.exists()
    stage.train("first", paths.root)
    assert recorder.epochs == [2, 3]


def test_an_error_while_saving_fails_the_run_and_keeps_the_training(
    paths: RunPaths, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_table", fail)
        with pytest.raises(OSError, match="no space left"):
            stage.train("first", paths.root)
    assert (recorder.status, recorder.tags) == ("FAILED", {})
    assert len(list(paths.resume.iterdir())) == 1
    recorder.epochs.clear()
    stage.train("first", paths.root)
    assert recorder.epochs == []
    assert recorder.status == "FINISHED"


def test_an_interrupt_marks_the_run_as_killed(
    paths: RunPaths, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(values: dict[str, float], step: int) -> None:
        raise SystemExit(1)

    monkeypatch.setattr(recorder, "log_metrics", interrupt)
    with pytest.raises(SystemExit):
        stage.train("first", paths.root)
    assert recorder.status == "KILLED"


def test_the_state_of_other_params_is_kept_and_used_again(
    paths: RunPaths, recorder: FakeRecorder, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = stop(paths, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (folder,) = paths.resume.iterdir()
    params = ProjectPaths(paths.root).params
    files.write_text(params, PARAMS.replace("epochs: 4", "epochs: 1"))
    stage.train("first", paths.root)
    assert f"{folder} belongs to other params, data or code" in capsys.readouterr().err
    files.write_text(params, PARAMS)
    recorder.epochs.clear()
    stage.train("first", paths.root)
    assert recorder.epochs == [2, 3]


def in_a_terminal(command: list[str]) -> str:
    """What a command writes to a terminal."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (40, 120))
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end)
    os.close(end)
    written = b""
    with os.fdopen(terminal, "rb", buffering=0) as reader:
        try:
            while block := reader.read(4096):
                written += block
        except OSError:  # the process has closed its end
            pass
    assert process.wait() == 0, written
    return written.decode()


def test_a_terminal_shows_a_progress_bar_and_a_line_with_the_metrics_of_every_epoch(paths: RunPaths) -> None:
    written = in_a_terminal(command(paths, 0))
    lines = re.findall(r"train first: epoch (\d)/4: lr .*validation_nll [\d.]+", written)
    assert lines == ["1", "2", "3", "4"]
    assert re.search(r"train first: epoch 2/4: +\d+%", written)


def test_a_network_without_parameters_cannot_be_trained(paths: RunPaths, recorder: FakeRecorder) -> None:
    params = ProjectPaths(paths.root).params
    files.write_text(params, PARAMS.replace("{name: mlp, hidden: [16], dropout: 0.2}", "{name: rules}"))
    with pytest.raises(ValueError, match=r"runs\.first\.train\.epochs: .*'rules' has no parameters; set 0"):
        stage.train("first", paths.root)


def test_another_process_of_the_training_writes_nothing(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_text(ProjectPaths(paths.root).params, PARAMS.replace("epochs: 4", "epochs: 0"))
    before = sorted(paths.root.rglob("*"))
    monkeypatch.setenv("RANK", "1")
    stage.train("first", paths.root)
    assert sorted(paths.root.rglob("*")) == before
