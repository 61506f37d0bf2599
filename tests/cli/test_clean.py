"""`cvnlp clean` removes the state of interrupted trainings that cannot be resumed."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cvnlp import cli, files, provenance
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths

PARAMS = """\
datasets:
  made: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  missing: {domain: vision, source: mnist_sample, seed: 2, validation: 50, test: 50}
runs:
  first: &run
    {domain: vision, dataset: made, seed: 1, model: {name: cnn}, train: {epochs: 1}, evaluate: {}, attack: {eps: [0.1]},
     insight: {}}
  second: {<<: *run, dataset: missing}
"""
Clean = Callable[..., list[str]]


@pytest.fixture
def project(tmp_path: Path, vision_data: Path) -> Path:
    """Folders of `first` that can and cannot be resumed, one of a removed run, and one of a run without its data."""
    files.write_text(tmp_path / "params.yaml", PARAMS)
    shutil.copytree(vision_data, tmp_path / "data/prepared/made")
    for path in ProjectPaths(tmp_path).run("first", "made").results():
        files.write_text(path / "file" if not path.suffix else path, "kept")
    block = read_params(tmp_path / "params.yaml").runs["first"]
    key = provenance.training_fingerprint(block, tmp_path / "data/prepared/made")
    for folder in (f"first/{key}", "first/other", "removed/any", "second/any"):
        files.write_text(tmp_path / "data/resume" / folder / "last.ckpt", "x" * 1000)
    return tmp_path


@pytest.fixture
def clean(project: Path, capsys: pytest.CaptureFixture[str]) -> Clean:
    def run(*options: str) -> list[str]:
        cli.main(["clean", "--root", str(project), *options])
        return capsys.readouterr().out.splitlines()

    return run


def left(project: Path) -> list[str]:
    """The names of the folders that are left, "now" for the one of the current params, data and code."""
    folders = sorted(path for path in (project / "data/resume").glob("*/*"))
    names = {"other", "any"}
    return [f"{one.parent.name}/{one.name if one.name in names else 'now'}" for one in folders]


def test_folders_that_cannot_be_resumed_are_removed(project: Path, clean: Clean) -> None:
    lines = clean()
    assert left(project) == ["first/now", "second/any"]
    assert not (project / "data/resume/removed").exists()
    removed = [line for line in lines if line.startswith("removed")]
    assert [
        f"{project}/data/resume/{name} (1.0 kB, last used 2" in line
        for name, line in zip(("first/other", "removed/any"), removed, strict=True)
    ] == [True, True]
    assert len([line for line in lines if line.startswith("kept") and "--all" in line]) == 2
    assert lines[-1] == "2 folders, 2.0 kB"


def test_other_params_make_a_folder_unusable(project: Path, clean: Clean) -> None:
    files.write_text(project / "params.yaml", PARAMS.replace("epochs: 1", "epochs: 2"))
    clean()
    assert left(project) == ["second/any"]


def test_all_folders_can_be_removed(project: Path, clean: Clean) -> None:
    assert clean("--all")[-1] == "4 folders, 4.0 kB"
    assert left(project) == []


def test_a_dry_run_removes_nothing(project: Path, clean: Clean) -> None:
    before = left(project)
    lines = clean("--dry-run")
    assert left(project) == before
    assert [line.startswith("would remove") for line in lines] == [True, True, False, False, False]


def test_only_folders_older_than_the_given_days_are_removed(project: Path, clean: Clean) -> None:
    used = time.time() - 5 * 86_400
    for path in (project / "data/resume/removed/any", project / "data/resume/removed/any/last.ckpt"):
        os.utime(path, (used, used))
    assert clean("--older-than", "6")[-1] == "0 folders, 0.0 kB"
    assert clean("--older-than", "4")[-1] == "1 folders, 1.0 kB"
    assert "first/other" in left(project) and "removed/any" not in left(project)


def test_without_interrupted_trainings_there_is_nothing_to_remove(project: Path, clean: Clean) -> None:
    shutil.rmtree(project / "data/resume")
    assert clean() == ["0 folders, 0.0 kB"]


def test_negative_days_are_refused(clean: Clean, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        clean("--older-than", "-1")
    assert "greater than or equal to 0" in capsys.readouterr().err


def test_results_of_runs_that_are_not_in_params_yaml_are_removed_and_listed(project: Path, clean: Clean) -> None:
    paths = ProjectPaths(project)
    kept = sorted(path for path in project.rglob("*") if path.is_file() and "resume" not in path.parts)
    left = [*paths.run("old", "made").results(), paths.prepared("renamed")]
    for path in left:
        files.write_text(path / "file" if not path.suffix else path, "left")
    assert [path for path in left if f"would remove {path}: " not in "\n".join(clean("--dry-run"))] == []
    assert [path for path in left if not path.exists()] == []
    lines = clean()
    names = {path: "renamed" if path == left[-1] else "old" for path in left}
    assert {f"removed {path}: {name} is not in params.yaml" for path, name in names.items()} <= set(lines)
    assert sorted(path for path in project.rglob("*") if path.is_file() and "resume" not in path.parts) == kept
