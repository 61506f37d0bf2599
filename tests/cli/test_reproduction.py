"""The last line of `cvnlp repro`: which runs reproduce the committed scores."""

import subprocess
from pathlib import Path

import pytest

from cvnlp import files
from cvnlp.cli.reproduction import reproduction
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from cvnlp.significance.over_seeds import SeedScores

RUN = """
  {name}:
    domain: vision
    dataset: digits
    seed: 1
    model: {{name: mlp, hidden: [8]}}
    train: {{epochs: 1}}
    evaluate: {{}}
    attack: {{eps: [0.1]}}
    insight: {{}}
"""
HEAD = "datasets:\n  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 500}\nruns:\n"
RUNS = ("same", "near", "far", "edited")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """Four runs with committed accuracies of 0.9, of which three have other scores or settings now."""
    paths = ProjectPaths(tmp_path)
    paths.params.write_text(HEAD + "".join(RUN.format(name=name) for name in RUNS), encoding="utf-8")
    for run in RUNS:
        files.write_scores(paths.run(run, "digits").scores, {"accuracy": 0.9}, metrics=["accuracy"])
    files.write_json(paths.seeds, {run: {"mean": 0.91, "standard_deviation": 0.01, "seeds": 3} for run in RUNS})
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "scores")
    for run, score in (("near", 0.939), ("far", 0.941), ("edited", 0.5)):
        files.write_scores(paths.run(run, "digits").scores, {"accuracy": score}, metrics=["accuracy"])
    text = paths.params.read_text(encoding="utf-8")
    head, block = text.split("  edited:")
    paths.params.write_text(head + "  edited:" + block.replace("epochs: 1", "epochs: 2"), encoding="utf-8")
    return paths


def test_runs_are_identical_close_or_different(project: ProjectPaths) -> None:
    assert reproduction(read_params(project.params), project) == (
        "of 3 runs, these reproduce the committed scores: 1 to the byte, 1 within the spread over seeds, 1 not (far); "
        "not compared, for their settings differ: edited"
    )


def test_a_run_without_committed_scores_is_named(project: ProjectPaths) -> None:
    git(project.root, "rm", "--cached", str(project.run("same", "digits").scores))
    git(project.root, "commit", "-m", "without")
    line = reproduction(read_params(project.params), project)
    assert "settings differ: edited; not compared, for they have no committed scores: same" in line


def test_without_measured_seeds_only_rounding_is_close(project: ProjectPaths) -> None:
    project.seeds.unlink()
    files.write_scores(project.run("near", "digits").scores, {"accuracy": 0.9000001}, metrics=["accuracy"])
    assert "1 within the spread over seeds, 1 not (far)" in reproduction(read_params(project.params), project)


def test_a_data_set_with_other_settings_is_another_run(project: ProjectPaths) -> None:
    text = project.params.read_text(encoding="utf-8")
    project.params.write_text(text.replace("validation: 500", "validation: 400"), encoding="utf-8")
    assert reproduction(read_params(project.params), project).startswith("of 0 runs")


def test_a_project_without_any_committed_score_has_nothing_to_compare(project: ProjectPaths) -> None:
    """As quick/, whose results are not in git."""
    git(project.root, "rm", "-r", "--cached", "reports")
    git(project.root, "checkout", "params.yaml")
    git(project.root, "commit", "-m", "without")
    assert reproduction(read_params(project.params), project) == ""


def test_a_folder_without_git_has_nothing_to_compare(tmp_path: Path) -> None:
    paths = ProjectPaths(tmp_path)
    paths.params.write_text(HEAD + RUN.format(name="same"), encoding="utf-8")
    assert reproduction(read_params(paths.params), paths) == ""


def test_the_seeds_of_the_pipeline_count_before_those_of_make_seeds(project: ProjectPaths) -> None:
    scores = SeedScores((1, 2), {"accuracy": (0.8, 1.0)})
    files.write_json(project.run("far", "digits").seed_scores, scores.to_json())
    assert "2 within the spread over seeds, 0 not" in str(reproduction(read_params(project.params), project))
