"""`cvnlp repro`: the results of `dvc repro`, with runs side by side and stages forked from a server."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloning import Clone, clone_project
from cvnlp import files
from cvnlp.cli.repro import _lanes, _needs_torch
from cvnlp.hand_over import SOCKET
from cvnlp.paths import ProjectPaths, SeedPaths
from fork_server import ForkServer

RUN = """
  {name}:
    domain: vision
    dataset: digits
    seed: {seed}
    seeds: {seeds}
    model: {{name: mlp, hidden: [8]}}
    train: {{epochs: 1, batch_size: 50, lr: {lr}}}
    evaluate: {{}}
    attack: {{eps: [0.1], images: 20, attacks: {{pgd: {{steps: 2}}}},
             smallest: null, targeted: null, spatial: null, corruptions: null}}
    insight: {{}}
"""
PARAMS = (
    """
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 4000}
own: {}
runs:
"""
    + RUN.format(name="first", seed=1, seeds="[1, 2]", lr=0.01)
    + RUN.format(name="second", seed=2, seeds="[]", lr=0.01)
)


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer | None, empty_database: Path) -> Clone:
    """A clone whose results `cvnlp repro` has made, two runs at a time."""
    clone = clone_project(tmp_path_factory.mktemp("lanes"), fork_server)
    shutil.copy(empty_database, clone.folder)
    (clone.folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    clone.output = clone("python", "-m", "cvnlp.cli", "repro", "--jobs", "2")
    return clone


def test_results_and_lock_file_are_those_of_dvc_repro(lanes: Clone, tmp_path: Path, empty_database: Path) -> None:
    other = clone_project(tmp_path)
    shutil.copy(empty_database, other.folder)
    (other.folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    other.repro(*(f"{stage}@first" for stage in ("evaluate", "attack", "insight")))  # by DVC itself, without a server
    other.server = lanes.server
    assert sorted(other.repro()) == [
        "attack@second",
        "evaluate@second",
        "insight@second",
        "report",
        "seeds@first",
        "seeds@second",
        "train@second",
        "transfer",
    ]
    assert lanes.digests() == other.digests()
    assert sorted((lanes.folder / "dvc.lock").read_text().splitlines()) == sorted(
        (other.folder / "dvc.lock").read_text().splitlines()
    )


def test_another_seed_has_the_model_and_the_score_of_a_run_with_that_seed(lanes: Clone) -> None:
    paths = ProjectPaths(lanes.folder)
    first, second = (paths.run(name, "digits") for name in ("first", "second"))
    other = SeedPaths(first.seeds / "2")
    assert (other.model / "model.safetensors").read_bytes() == (second.model / "model.safetensors").read_bytes()
    values = [files.read_scores(run.scores)["accuracy"] for run in (first, second)]
    found = files.read_json(first.seed_scores)
    assert [row["accuracy"] for row in found["scores"]] == values
    assert files.read_json(second.seed_scores) == {"seeds": [2]}
    shown = f"{found['accuracy']['mean']:.4f} ± {found['accuracy']['std']:.4f} (2)"
    assert shown in (lanes.folder / "reports/report.md").read_text(encoding="utf-8")
    client, experiment = lanes.mlflow()
    (run,) = client.search_runs([experiment], "tags.run = 'first-seed2'")
    assert client.get_run(run.data.tags["mlflow.parentRunId"]).info.run_name == "first"


def test_nothing_is_left_to_do(lanes: Clone) -> None:
    assert "[first] Running stage 'train@first'" in lanes.output
    assert lanes.repro() == []


def test_a_run_that_fails_stops_no_other(lanes: Clone) -> None:
    before = (lanes.folder / "params.yaml").read_text(encoding="utf-8")
    lanes.change("runs", "first", "train", "lr", value=1e30)
    lanes.change("runs", "second", "train", "lr", value=0.02)
    output = lanes("python", "-m", "cvnlp.cli", "repro", check=False)
    assert output.rstrip().endswith("error: failed: first; their messages are above, everything else is complete")
    assert "runs.first.train: the loss is no longer a number" in output
    assert "Running stage 'insight@second'" in output
    (lanes.folder / "params.yaml").write_text(before, encoding="utf-8")


def test_a_lane_has_the_stages_of_a_run_in_order() -> None:
    pending = ["report", "attack@b", "train@a", "evaluate@a"]
    assert _lanes(pending, []) == [
        ["train@b", "evaluate@b", "attack@b", "insight@b", "seeds@b"],
        ["train@a", "evaluate@a", "attack@a", "insight@a", "seeds@a"],
    ]
    assert _lanes(["train@a"], ["evaluate@a"]) == [["train@a", "evaluate@a"]]


def test_stages_of_all_runs_together_are_in_no_lane_and_need_no_server() -> None:
    assert _lanes(["transfer", "report"], []) == []
    assert not _needs_torch(["check", "transfer", "report"])
    assert _needs_torch(["attack@a", "transfer", "report"])


def test_the_longest_training_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for run, examples in (("a", 10), ("b", 1000)):
        result = {"multiply_adds": 5, "examples": examples}
        files.write_scores(ProjectPaths().run(run, "digits").training, result, metrics=["epochs"])
    assert [lane[0] for lane in _lanes(["train@new", "train@a", "train@b"], [])] == ["train@b", "train@a", "train@new"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a process that hands over to a server."""
    place = tmp_path_factory.mktemp("server") / "stages"
    process = subprocess.Popen([sys.executable, "-m", "cvnlp.cli.stage_server", str(place)])
    while not place.exists():
        assert process.poll() is None
        time.sleep(0.05)
    yield {**os.environ, SOCKET: str(place)}
    process.terminate()
    process.wait()


def check(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cvnlp.stages.check"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_stage_runs_in_its_folder_and_ends_with_its_exit_code(server: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    assert check(tmp_path, server).returncode == 0
    assert (tmp_path / "data/params_valid.txt").is_file()
    (tmp_path / "params.yaml").write_text(PARAMS.replace("mlp", "mpl"), encoding="utf-8")
    done = check(tmp_path, server)
    assert done.returncode == 1
    assert "'mpl' is unknown" in done.stderr


def test_without_a_server_the_stage_runs_itself(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    assert check(tmp_path, {**os.environ, SOCKET: str(tmp_path / "ended/stages")}).returncode == 0


def test_a_signal_reaches_the_stage(server: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")  # reading waits until someone writes
    stage = subprocess.Popen(
        [sys.executable, "-m", "cvnlp.stages.check"], cwd=tmp_path, env=server, stderr=subprocess.PIPE
    )
    with (tmp_path / "params.yaml").open("w"):  # the stage has opened it
        stage.send_signal(signal.SIGTERM)
        _, errors = stage.communicate(timeout=60)
    assert stage.returncode == 128 + signal.SIGTERM
    assert b"interrupted (SIGTERM)" in errors
