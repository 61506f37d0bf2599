"""A run is found in the project, at a git revision, and in MLflow; what is missing is stated."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cvnlp import files
from cvnlp.comparison import Outcome, better
from cvnlp.comparison.run_params import differing
from cvnlp.comparison.sources import find_run
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from cvnlp.stages.evaluate import evaluate
from cvnlp.tracking import mlflow_store, sync
from make_project import make_project

PARAMS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  letters: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}
runs:
  pictures:
    {domain: vision, dataset: digits, seed: 1, model: {name: linear}, train: {epochs: 1, lr: 0.01}, evaluate: {},
     attack: {eps: [0.1]}, insight: {}}
  text:
    {domain: language, dataset: letters, seed: 1, model: {name: gru, embedding_size: 4, hidden_size: 4},
     train: {epochs: 1}, evaluate: {samples: 1, sample_tokens: 3}, attack: {shares: [0.1]}, insight: {}}
"""
RUNS = ("pictures", "text")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, vision_data: Path, language_data: Path) -> Path:
    """A project with two evaluated runs."""
    root = tmp_path_factory.mktemp("project")
    make_project(root, PARAMS, {"digits": vision_data, "letters": language_data})
    for run in RUNS:
        evaluate(run, root=root)
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(made, tmp_path / "project")


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(project: Path) -> Path:
    """The project in git, without data/; its working tree has another learning rate."""
    files.write_text(project / ".gitignore", "/data/\n")
    git(project, "init", "--initial-branch=main")
    git(project, "add", ".")
    git(project, "commit", "-m", "first")
    path = project / "params.yaml"
    files.write_text(path, path.read_text(encoding="utf-8").replace("lr: 0.01", "lr: 0.5"))
    return project


# A run of params.yaml -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", RUNS)
def test_a_run_has_its_scores_examples_and_test_set(run: str, project: Path) -> None:
    found = find_run(run, project)
    scores = files.read_scores(ProjectPaths(project).run(run, "").scores)
    assert found.evidence.scores == scores
    assert found.evidence.examples is not None
    main = {"pictures": "accuracy", "text": "nats_per_token"}[run]
    assert found.evidence.examples.estimate().value == pytest.approx(scores[main], abs=1e-6)
    assert found.evidence.test_set.count == {"pictures": 50, "text": scores.get("tokens")}[run]
    assert len(found.evidence.test_set.digest or "") == 64
    assert found.training == {"parameters": 1, "multiply_adds": 1, "epochs": 2, "examples": 2}
    assert found.params["train.epochs"] == "1"
    assert found.notes == ()


@pytest.mark.parametrize("run", RUNS)
def test_a_run_equals_itself(run: str, project: Path) -> None:
    evidence = find_run(run, project).evidence
    assert better(evidence, evidence).difference.p_value == 1


def test_an_evaluation_of_an_earlier_version_is_named(project: Path) -> None:
    (ProjectPaths(project).run("text", "").evaluation / "nats.npy").unlink()
    found = find_run("text", project)
    assert found.evidence.examples is None
    assert found.notes == (
        "text: its evaluation has no results of single examples; `dvc repro evaluate@text` writes them",
    )


def test_a_run_that_is_not_evaluated_or_does_not_exist_is_refused(project: Path) -> None:
    ProjectPaths(project).run("text", "").scores.unlink()
    with pytest.raises(ValueError, match=r"text has no scores .*run `dvc repro evaluate@text`"):
        find_run("text", project)
    with pytest.raises(ValueError, match=r"runs: 'nothing' is unknown; valid choices: pictures, text"):
        find_run("nothing", project)


# A git revision -------------------------------------------------------------------------------------------------------


def test_a_revision_has_params_and_scores_but_no_examples(repository: Path) -> None:
    found, now = find_run("main:pictures", repository), find_run("pictures", repository)
    assert (found.params["train.lr"], now.params["train.lr"]) == ("0.01", "0.5")
    assert found.evidence.scores == now.evidence.scores
    assert found.evidence.examples is None and found.training == now.training
    assert found.notes == ("main:pictures: git has its scores, but not the results of single examples, which DVC has",)
    verdict = better(now.evidence, found.evidence)
    assert verdict.outcome is Outcome.SAME and verdict.difference.p_value is None
    assert verdict.difference.low is not None and verdict.difference.low < 0
    assumed, unpaired = verdict.notes
    assert assumed.startswith("pictures and main:pictures: equal test sets are assumed")
    assert unpaired.startswith("no paired test: main:pictures without")


def test_a_project_in_a_folder_of_the_repository_is_found(repository: Path) -> None:
    git(repository, "mv", "-k", "params.yaml", "reports", ".")
    (repository / "inner").mkdir()
    for name in ("params.yaml", "reports"):
        git(repository, "mv", name, f"inner/{name}")
    git(repository, "commit", "-am", "second")
    assert find_run("HEAD:text", repository / "inner").evidence.domain == "language"
    with pytest.raises(ValueError, match=r"git has no params\.yaml at HEAD \("):
        find_run("HEAD:text", repository)
    assert find_run("HEAD~1:text", repository).evidence.domain == "language"


def test_params_of_another_version_are_compared_without_defaults(repository: Path) -> None:
    path = repository / "params.yaml"
    files.write_text(path, path.read_text(encoding="utf-8").replace("lr: 0.5", "learning_rate: 0.5"))
    git(repository, "commit", "-am", "second")
    found = find_run("HEAD:pictures", repository)
    assert found.params["train.learning_rate"] == "0.5" and "train.batch_size" not in found.params
    assert found.params["data.source"] == "mnist_sample"
    assert found.notes[0].startswith("HEAD:pictures: its params.yaml is of another version")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("HEAD~5:pictures", "git has no revision 'HEAD~5'; examples: HEAD~1"),
        ("--output=stolen:pictures", "git has no revision '--output=stolen'"),
        (":pictures", "git has no revision ''"),
        ("HEAD:nothing", r"git has no reports/scores/nothing\.json at HEAD"),
    ],
)
def test_what_git_does_not_have_is_named(name: str, message: str, repository: Path) -> None:
    with pytest.raises(ValueError, match=message):
        find_run(name, repository)
    assert not list(repository.rglob("stolen*"))


def test_scores_without_their_run_in_params_are_refused(repository: Path) -> None:
    path = repository / "params.yaml"
    files.write_text(path, path.read_text(encoding="utf-8").replace("  text:", "  other:"))
    git(repository, "commit", "-am", "second")
    with pytest.raises(ValueError, match=r"params\.yaml has no complete run 'text' at the revision HEAD"):
        find_run("HEAD:text", repository)


def test_a_folder_without_git_has_no_revisions(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    with pytest.raises(ValueError, match=r"is in no git repository, so 'HEAD' is no revision"):
        find_run("HEAD:text", project)


# MLflow ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tracked(project: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The ids of the runs, which MLflow has with all their files."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("DVC_ROOT", str(project))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_database, project)
    settings, paths, store = read_params(Path("params.yaml")), ProjectPaths(), mlflow_store.connect()
    runs = {name: paths.run(name, block.dataset) for name, block in settings.runs.items()}
    for run in runs.values():
        for path in (run.attacks, run.insights):
            files.write_scores(path, {"of": 1.0}, metrics=["of"])
    return {name: sync.sync(settings, run, store) for name, run in runs.items()}


def test_a_run_of_mlflow_has_all_that_the_project_has(tracked: dict[str, str]) -> None:
    for run, run_id in tracked.items():
        found, expected = find_run(f"mlflow:{run_id}"), find_run(run)
        assert differing([found.params, expected.params]) == {}
        assert found.params["train.epochs"] == "1" and found.params["data.source"] == expected.params["data.source"]
        assert found.evidence.scores == expected.evidence.scores
        assert found.evidence.test_set == expected.evidence.test_set
        assert found.training == expected.training
        verdict = better(found.evidence, expected.evidence)
        assert (verdict.difference.p_value, verdict.notes) == (1, ())


def test_a_run_that_mlflow_does_not_have_is_refused(tracked: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"MLflow has no run 'abc' of this project in sqlite:"):
        find_run("mlflow:abc")


def test_a_run_whose_training_has_just_begun_is_refused(tracked: dict[str, str]) -> None:
    store = mlflow_store.connect()
    run = store.client.create_run(store.experiment)
    with pytest.raises(ValueError, match=r"has no scores yet"):
        find_run(f"mlflow:{run.info.run_id}")


def test_no_database_is_created_by_a_comparison(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("DVC_ROOT", str(project))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ValueError, match=r"there is no MLflow database"):
        find_run("mlflow:abc")
    assert not list(project.glob("mlflow*"))
