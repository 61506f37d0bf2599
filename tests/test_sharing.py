"""Results that one person has pushed are complete for another who clones and pulls, without any training."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloning import Clone, clone_project
from cvnlp import files
from fork_server import ForkServer
from s3_server import S3, start_s3
from test_restoring import PARAMS, changes, names_in_mlflow

BUCKET = "results"


@pytest.fixture(scope="module")
def storage() -> Iterator[S3]:
    with start_s3(BUCKET) as made:
        yield made


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer | None, empty_database: Path) -> Clone:
    """A project with results, committed on the branch `main`, whose git remote is a bare repository."""
    place = tmp_path_factory.mktemp("sharing")
    made = clone_project(place, fork_server)
    shutil.copy(empty_database, made.folder)
    (made.folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    made("git", "branch", "--move", "main")
    made("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(place / "bare.git"))
    made("git", "remote", "add", "origin", str(place / "bare.git"))
    made.repro()
    return made


def add_remote(project: Clone, kind: str, storage: S3) -> None:
    """As docs/share.md describes it: the address in git, the keys outside."""
    if kind == "folder":
        project("dvc", "remote", "add", "--default", "folder", str(project.folder.parent / "remote"))
        return
    project("dvc", "remote", "add", "--default", "s3", f"s3://{BUCKET}/cvnlp")
    project("dvc", "remote", "modify", "s3", "endpointurl", storage.address)
    project.environment |= storage.environment


def clone(project: Clone, folder: Path, database: Path) -> Clone:
    """A second checkout, elsewhere, with the same environment."""
    project("git", "clone", "--quiet", str(project.folder.parent / "bare.git"), str(folder))
    made = Clone(folder, project.folder.parent / "mirror", project.server)
    made.environment = dict(project.environment)
    shutil.copy(database, folder)
    return made


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_clone_pulls_everything_and_runs_the_report_alone(
    kind: str, first: Clone, storage: S3, tmp_path: Path, empty_database: Path
) -> None:
    add_remote(first, kind, storage)
    first.commit()
    first("dvc", "push")
    first("git", "push", "--quiet", "origin", "main")
    second = clone(first, tmp_path / "second", empty_database)
    second("dvc", "pull")
    assert second.digests() == first.digests()
    assert re.findall(r"^(\S+):$", second("dvc", "status"), re.MULTILINE) == ["report"]  # MLflow is empty
    assert second.repro() == ["report"]
    assert (second.digests(), changes(second)) == (first.digests(), "")
    check_mlflow(second)
    assert second.repro() == []
    assert "up to date" in second("dvc", "status")
    assert "are in sync" in second("dvc", "status", "--cloud")


def check_mlflow(project: Clone) -> None:
    assert names_in_mlflow(project) == [("mlp", "FINISHED")]
    client, experiment = project.mlflow()
    (run,) = client.search_runs([experiment])
    accuracy = files.read_json(project.folder / "reports/scores/mlp.json")["accuracy"]
    assert run.data.metrics["test/accuracy"] == accuracy
    assert len(client.search_logged_models([experiment])) == 1
    history = (project.folder / "reports/history/mlp.csv").read_text(encoding="utf-8").splitlines()
    assert len(client.get_metric_history(run.info.run_id, "validation_nll")) == len(history) - 1


def test_repro_with_pull_leaves_mlflow_to_the_next_one(first: Clone, tmp_path: Path, empty_database: Path) -> None:
    second = clone(first, tmp_path / "second", empty_database)
    assert second.repro("--pull") == []  # DVC pulls the files of the report instead of running it
    assert second.digests() == first.digests()
    assert second.repro() == ["report"]
    assert changes(second) == ""
    check_mlflow(second)


def test_what_is_in_no_remote_is_named(first: Clone, tmp_path: Path, empty_database: Path) -> None:
    second = clone(first, tmp_path / "second", empty_database)
    second("dvc", "remote", "add", "--local", "--force", "--default", "empty", str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    output = second("dvc", "pull", check=False)
    assert "data/models/mlp" in output and "failed to pull data from the cloud" in output
