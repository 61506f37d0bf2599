"""Find what `cvnlp compare` compares: a run of params.yaml, of a git revision, or of MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvnlp import domains, files
from cvnlp.comparison import revisions
from cvnlp.comparison.evidence import Evidence, TestSet
from cvnlp.comparison.run_params import as_text, run_params
from cvnlp.data import prepared
from cvnlp.params import pick, read_params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import seed_scores

MLFLOW = "mlflow:"
TRAINING = ("parameters", "multiply_adds", "epochs", "examples")  # of reports/training, that are compared, too


@dataclass(frozen=True)
class ComparedRun:
    """`params`: with the keys of params.yaml below the run, joined by dots, and `data.` of its data set.

    `training`: sizes and costs; `notes`: what is missing.
    """

    evidence: Evidence
    params: Mapping[str, str]
    training: Mapping[str, float]
    notes: tuple[str, ...] = ()


def find_run(name: str, root: Path = Path()) -> ComparedRun:
    """The run `RUN` of params.yaml in `root`, `REV:RUN` as it was at a git revision, or `mlflow:ID`.

    ValueError if it does not exist, or has not been evaluated.
    """
    if name.startswith(MLFLOW):
        return _of_mlflow(name)
    revision, colon, run = name.rpartition(":")
    return _of_revision(name, revision, run, root) if colon else _of_project(name, root)


def _of_project(name: str, root: Path) -> ComparedRun:
    project = ProjectPaths(root)
    settings = read_params(project.params)
    paths = project.run(name, pick(project.params, "runs", settings.runs, name).dataset)
    if not paths.scores.is_file():
        raise ValueError(f"{name} has no scores ({paths.scores} is missing): run `dvc repro evaluate@{name}`")
    made = _with_seeds(_make(name, run_params(settings, name), *_scores(paths)), project, paths)
    found = _with_examples(made, paths.evaluation)
    if found.evidence.examples is None:
        note = f"{name}: its evaluation has no results of single examples; `dvc repro evaluate@{name}` writes them"
        return replace(found, notes=(note,))
    return found


def _scores(paths: RunPaths) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of reports/scores and of reports/training."""
    return files.read_scores(paths.scores), files.read_scores(paths.training) if paths.training.is_file() else {}


def _of_revision(name: str, revision: str, run: str, root: Path) -> ComparedRun:
    with revisions.checked_out(root, revision, run) as folder:
        project, notes = ProjectPaths(folder), []
        try:
            params = run_params(read_params(project.params), run)
        except (ValueError, KeyError):
            params = as_text(revisions.raw_params(folder, revision, run))
            notes = [f"{name}: its params.yaml is of another version, and is compared as it is, without defaults"]
        paths = project.run(run, "")
        found = _with_seeds(_make(name, params, *_scores(paths)), project, paths)
    notes.append(f"{name}: git has its scores, but not the results of single examples, which DVC has")
    return replace(found, notes=tuple(notes))


def _of_mlflow(name: str) -> ComparedRun:
    from cvnlp.tracking import stored_runs  # loads MLflow

    with stored_runs.open_run(name.removeprefix(MLFLOW)) as stored:
        found = _make(name, stored.params, stored.scores, stored.training)
        return _with_examples(found, stored.evaluation)


def _make(name: str, params: Mapping[str, str], scores: Mapping[str, Any], training: Mapping[str, Any]) -> ComparedRun:
    domain = params["domain"]
    count = domains.DOMAINS[domain].comparison.example_count(scores)
    data = {key: value for key, value in params.items() if key.startswith("data.")}
    costs = {key: float(training[key]) for key in TRAINING if key in training}
    return ComparedRun(Evidence(name, domain, scores, TestSet(count, data=data)), params, costs)


def _with_seeds(run: ComparedRun, project: ProjectPaths, paths: RunPaths) -> ComparedRun:
    seeds = seed_scores.read_or_measured(project, paths, run.evidence.domain)
    return replace(run, evidence=replace(run.evidence, seeds=seeds))


def _with_examples(run: ComparedRun, details: Path) -> ComparedRun:
    """The run with the results of single examples and the digest of the test set, as far as they are in `details`."""
    evidence = run.evidence
    examples = domains.DOMAINS[evidence.domain].comparison.read_examples(details, evidence.scores)
    test_set = replace(evidence.test_set, digest=prepared.read_test_digest(details))
    return replace(run, evidence=replace(evidence, examples=examples, test_set=test_set))
