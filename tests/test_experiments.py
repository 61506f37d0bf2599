"""DVC's experiments as docs/experiments.md describes: queued ones in parallel, own data, the table, and sharing."""

import shlex
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloning import Clone, clone_project
from cvnlp import files
from fork_server import ForkServer

RATES = {"low": 0.001, "high": 0.1}
DEADLINE = 300.0  # seconds for all queued experiments
PARAMS = """\
datasets: {}
own:
  album: {domain: vision, path: data/own/album, seed: 1, size: [12, 12], colour: grey, validation: 8, test: 8}
runs:
  small:
    {domain: vision, dataset: album, seed: 1, model: {name: linear}, evaluate: {}, attack: {eps: [0.1]}, insight: {},
     train: {epochs: 2, batch_size: 8, lr: 0.01}}
"""
TARGET = "evaluate@small"


def make_album(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(40):
        pixels = generator.integers(0, 80, (12, 12), dtype=np.uint8)
        pixels[:6, :] += np.uint8(150 * (number % 2))
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer | None) -> Clone:
    """A clone with own pictures that DVC tracks, after two experiments that ran at a time."""
    clone = clone_project(tmp_path_factory.mktemp("experiments"), fork_server)
    (clone.folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    make_album(clone.folder / "data/own/album")
    clone("dvc", "add", "data/own/album")
    clone("dvc", "remote", "add", "--default", "store", str(clone.folder.parent / "store"))
    clone.commit()
    for name, rate in RATES.items():
        clone("dvc", "exp", "run", "--queue", "--name", name, "-S", f"runs.small.train.lr={rate}", TARGET)
    clone("dvc", "queue", "start", "--jobs", "2")
    wait(clone)
    return clone


def wait(clone: Clone) -> None:
    end = time.monotonic() + DEADLINE
    while (status := clone("dvc", "queue", "status")).count("Success") < len(RATES):
        assert "Failed" not in status, [clone("dvc", "queue", "logs", name, check=False) for name in RATES]
        assert time.monotonic() < end, status


def test_the_pointer_to_own_data_is_in_git_and_the_data_are_not(clone: Clone) -> None:
    assert clone("git", "ls-files", "data").split() == ["data/README.md", "data/own/album.dvc"]


def test_experiments_are_runs_of_one_database_with_their_names(clone: Clone) -> None:
    client, experiment = clone.mlflow()
    baseline = clone("git", "rev-parse", "HEAD").strip()
    found = {run.data.tags["dvc.experiment"]: run for run in client.search_runs([experiment])}
    assert {name: float(run.data.params["train.lr"]) for name, run in found.items()} == RATES
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert {run.data.tags["dvc.experiment.baseline"] for run in found.values()} == {baseline}
    assert not list(clone.folder.glob(".dvc/tmp/exps/*/mlflow.db"))


def test_the_table_has_params_that_differ_and_the_main_score(clone: Clone) -> None:
    shown = clone("make", "--dry-run", "experiments", "PYTHON=python", "ARGUMENTS=--csv")
    (line,) = [line for line in shown.splitlines() if line.startswith("dvc exp show")]
    header, *rows = clone(*shlex.split(line)).strip().splitlines()
    columns = header.split(",")
    assert [name for name in columns if name.startswith("runs")] == ["runs.small.train.lr"]
    assert [name for name in columns if "accuracy" in name] == ["accuracy"]
    assert len(columns) <= 9 and not [name for name in columns if name.startswith("src")]
    assert {row.split(",")[0] for row in rows} >= set(RATES)


def test_an_experiment_is_applied_branched_and_shared(clone: Clone, tmp_path: Path) -> None:
    team = tmp_path / "team.git"
    clone("git", "init", "--quiet", "--bare", str(team))
    clone("git", "remote", "add", "team", str(team))
    clone("git", "push", "--quiet", "team", "HEAD:main")
    clone("dvc", "exp", "push", "team", "low")
    clone("dvc", "exp", "branch", "low", "lower-lr")
    assert "lr: 0.001" in clone("git", "show", "lower-lr:params.yaml")
    other = Clone(tmp_path / "colleague", tmp_path, clone.server)
    clone("git", "clone", "--quiet", "--branch", "main", str(team), str(other.folder))
    assert "low" in other("dvc", "exp", "list", "origin", "--all-commits")
    other("dvc", "exp", "pull", "origin", "low")
    other("dvc", "exp", "apply", "low", check=False)  # which misses the outputs of stages that did not run
    assert "lr: 0.001" in (other.folder / "params.yaml").read_text(encoding="utf-8")
    assert files.read_scores(other.folder / "reports/scores/small.json")["images"] == 8
    assert (other.folder / "data/models/small/model.safetensors").is_file()
