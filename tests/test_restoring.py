"""What was computed once comes back from DVC's caches: after a param was changed back, a branch switch."""

import shutil
from pathlib import Path

import pytest

from cloning import Clone, clone_project
from fork_server import ForkServer

PARAMS = """
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 4000}
own: {}
runs:
  mlp:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: mlp, hidden: [8]}
    train: {epochs: 1, batch_size: 50, lr: 0.01}
    evaluate: {}
    attack: {eps: [0.1], images: 20, attacks: {pgd: {steps: 2}},
             smallest: null, targeted: null, spatial: null, corruptions: null}
    insight: {}
"""
REPORT = ["report"]  # logs to MLflow, and is therefore not restored but run


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer | None, empty_database: Path) -> Clone:
    """A clone whose results are committed, on the branch `main`."""
    place = tmp_path_factory.mktemp("restoring")
    made = clone_project(place, fork_server)
    shutil.copy(empty_database, made.folder)
    (made.folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    made("git", "branch", "--move", "main")
    made.repro()
    made.commit()
    return made


def changes(clone: Clone) -> str:
    return clone("git", "status", "--porcelain")


def names_in_mlflow(clone: Clone) -> list[tuple[str, str]]:
    """Name and status of every run in MLflow."""
    client, experiment = clone.mlflow()
    return [(run.info.run_name, run.info.status) for run in client.search_runs([experiment])]


def test_a_param_that_is_changed_back_restores_every_stage(clone: Clone) -> None:
    digests = clone.digests()
    clone.change("runs", "mlp", "train", "lr", value=0.02)
    assert "train@mlp" in clone.repro()
    assert clone.digests() != digests
    clone("git", "checkout", "params.yaml")
    assert clone.repro() == ["transfer", *REPORT]  # what git has is in no cache
    assert clone.digests() == digests
    assert changes(clone) == ""
    assert names_in_mlflow(clone) == [("mlp", "FINISHED")] * 2


def test_a_mistake_that_is_undone_trains_nothing_again(clone: Clone) -> None:
    digests = clone.digests()
    clone.change("runs", "mlp", "model", "dropout", value=1.2)
    assert "runs.mlp.model.dropout" in clone("dvc", "repro", "train@mlp", check=False)
    assert clone.digests() == digests
    clone("git", "checkout", "params.yaml")
    assert clone.repro() == []


def test_a_lost_model_is_restored(clone: Clone) -> None:
    digests = clone.digests()
    shutil.rmtree(clone.folder / "data/models/mlp")
    (clone.folder / "reports/history/mlp.csv").unlink()
    assert clone.repro() == []
    assert clone.digests() == digests


def test_another_branch_and_back(clone: Clone) -> None:
    digests = clone.digests()
    clone("git", "checkout", "--quiet", "-b", "other")
    clone.change("runs", "mlp", "attack", "eps", value=[0.2])
    assert sorted(clone.repro()) == ["attack@mlp", "check", "report", "transfer"]
    clone.commit()
    clone("git", "checkout", "--quiet", "main")
    clone("dvc", "checkout")
    assert clone.repro() in ([], REPORT)
    assert clone.digests() == digests
    assert changes(clone) == ""


def test_a_lock_file_of_before_restores_what_a_forced_run_has_made(clone: Clone) -> None:
    clone.repro("--force", "--single-item", "train@mlp")
    clone("git", "checkout", "dvc.lock")
    assert clone.repro() == []
    assert changes(clone) == ""
