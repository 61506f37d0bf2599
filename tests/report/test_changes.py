"""What differs from the last commit: nothing outside a repository, and arrows only beyond chance."""

import subprocess
from pathlib import Path

import pytest

from cvnlp import files
from cvnlp.params.runs import VisionRun
from cvnlp.paths import ProjectPaths
from cvnlp.report.changes import changes
from cvnlp.report.results import Results, RunResults
from report_contents import columns, tables, texts


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def results(root: Path, accuracies: dict[str, float]) -> dict[str, Results]:
    """Writes the scores of these runs."""
    block = {"domain": "vision", "dataset": "digits", "seed": 1, "model": {"name": "mlp"}, "train": {"epochs": 1}}
    block |= {"evaluate": {}, "attack": {"eps": [0.1]}, "insight": {}}
    runs = []
    for name, accuracy in accuracies.items():
        run = RunResults(name, VisionRun.model_validate(block), ProjectPaths(root).run(name, "digits"))
        files.write_scores(run.paths.scores, {"accuracy": accuracy, "images": 500}, metrics=["accuracy"])
        runs.append(run)
    return {"vision": Results(tuple(runs), {}, ProjectPaths(root), {})}


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A repository with the scores of three runs."""
    results(tmp_path, {"better": 0.9, "close": 0.9, "same": 0.9, "worse": 0.9})
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "scores")
    return tmp_path


def test_outside_a_repository_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert changes(results(tmp_path, {"one": 0.9})) == []


def test_equal_scores_are_one_sentence(committed: Path) -> None:
    found = changes(results(committed, {"same": 0.9, "new": 0.5}))
    assert texts(found) == ["No test score differs from the last commit (1 runs compared)."]


def test_changes_have_arrows_only_beyond_chance(committed: Path) -> None:
    found = changes(results(committed, {"better": 0.99, "close": 0.906, "same": 0.9, "worse": 0.5}))
    (table,) = tables(found).values()
    shown = columns(table)
    assert shown["run"] == ["better", "close", "worse"]
    assert shown["change"] == ["▲ better", "may be random", "▼ worse"]
    assert (shown["last commit"][0], shown["now"][0]) == ("0.9000", "0.9900")
