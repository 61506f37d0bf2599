"""Gates, registration and champions: in MLflow's registry on made results of runs."""

import copy
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from cvnlp import cli, files
from cvnlp.data import prepared
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from cvnlp.registry import champion
from cvnlp.tracking import mlflow_store, model_registry, pages, sync
from cvnlp.tracking.mlflow_store import Store
from make_models import make_model

DATA = "datasets:\n  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}\nruns:\n"
RUN = """\
  {name}:
    {{domain: vision, dataset: digits, seed: 1, model: {{name: mlp, hidden: [{hidden}]}}, train: {{epochs: 1}},
     evaluate: {{}}, attack: {{eps: [0.1]}}, insight: {{}}, gates: {{minimum_accuracy: {minimum}}}}}
"""
IMAGES = 200
Add = Callable[..., None]


class Project:
    """A project whose runs have made results; `report` does what the stage does."""

    def __init__(self, root: Path, data: Path) -> None:
        self.paths, self.data, self.text = ProjectPaths(root), data, DATA
        shutil.copytree(data, self.paths.prepared("digits"))

    def moved(self, root: Path) -> "Project":
        """The same project in another folder."""
        other = copy.copy(self)
        other.paths = ProjectPaths(root)
        return other

    def add(self, name: str, correct: int, *, minimum: float = 0.5, test_set: str = "a") -> None:
        """A run that classifies the first `correct` of the test images correctly."""
        self.text += RUN.format(name=name, hidden=3 + self.text.count("domain"), minimum=minimum)
        files.write_text(self.paths.params, self.text)
        run, block = self.paths.run(name, "digits"), read_params(self.paths.params).runs[name]
        make_model(run.model, self.data, block.model)
        files.write_text(run.history, "epoch,step,validation_nll\n0,5,2.5\n")
        for path in (run.training, run.insights):
            files.write_scores(path, {"epochs": 1}, metrics=["epochs"])
        files.write_scores(run.scores, {"accuracy": correct / IMAGES, "images": IMAGES}, metrics=["accuracy"])
        files.write_scores(run.attacks, {"accuracy_worst_case_0.1": 0.4}, metrics=[])
        rows = [["7", "7" if number < correct else "1"] for number in range(IMAGES)]
        files.write_rows(run.evaluation / "predictions.csv", ["actual", "predicted"], rows)
        prepared.save_test_set(run.evaluation, IMAGES, [test_set.encode()])

    def report(self) -> Store:
        settings, store = read_params(self.paths.params), mlflow_store.connect()
        sync.complete_all(settings, self.paths, store)
        champion.register_all(settings, self.paths, store)
        return store


@pytest.fixture
def project(tmp_path: Path, vision_data: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Project(tmp_path, vision_data)


def champion_of(store: Store) -> str | None:
    found = model_registry.champion(store, "digits")
    return found and found.run


def test_the_best_of_several_becomes_champion_and_lineage_is_kept(project: Project) -> None:
    project.add("weak", 150)
    project.add("strong", 190)
    store = project.report()
    assert champion_of(store) == "strong"
    strong, weak = model_registry.versions(store, "digits")
    assert (strong.run, weak.run) == ("strong", "weak")
    assert strong.data == files.sha256(project.paths.prepared("digits") / "facts.json")
    assert store.client.get_run(strong.run_id).data.tags["gates"] == "passed: minimum_accuracy 0.5: 0.95, passed"


def test_a_model_that_fails_a_gate_is_not_registered(project: Project) -> None:
    project.add("weak", 150, minimum=0.9)
    store = project.report()
    assert model_registry.versions(store, "digits") == [] and champion_of(store) is None
    (run,) = store.find_runs("tags.run = 'weak'")
    assert run.data.tags["gates"] == "failed: minimum_accuracy 0.9: 0.75, failed"


@pytest.mark.parametrize(("correct", "wins"), [(100, False), (181, False), (184, False), (190, True), (199, True)])
def test_a_later_model_becomes_champion_only_if_it_is_better_by_more_than_random_variation(
    project: Project, correct: int, wins: bool, capsys: Any
) -> None:
    project.add("first", 180)
    project.report()
    project.add("second", correct)  # 190: ten more images and none less, p = 0.002; 184: p = 0.125
    store = project.report()
    assert champion_of(store) == ("second" if wins else "first")
    assert len(model_registry.versions(store, "digits")) == 2
    assert ("new champion" if wins else "first stays champion") in capsys.readouterr().out


def test_another_test_set_makes_no_champion(project: Project, capsys: Any) -> None:
    project.add("first", 150)
    project.report()
    project.add("second", 199, test_set="b")
    assert champion_of(project.report()) == "first"
    assert "different test sets" in capsys.readouterr().out


def test_a_repeated_report_registers_nothing_and_respects_a_decision(project: Project) -> None:
    project.add("first", 150)
    project.add("second", 199)
    store = project.report()
    champion.promote(store, "digits", "2", "smaller")
    assert champion_of(project.report()) == "first"
    assert len(model_registry.versions(store, "digits")) == 2


def test_two_reports_at_once_register_once(project: Project) -> None:
    project.add("first", 150)
    settings, store = read_params(project.paths.params), mlflow_store.connect()
    sync.complete_all(settings, project.paths, store)
    threads = [threading.Thread(target=champion.register_all, args=(settings, project.paths, store)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(model_registry.versions(store, "digits")) == 1
    assert len(model_registry.history(store, "digits")) == 1


def test_rollback_restores_the_champion_before_and_both_are_in_the_history(project: Project, capsys: Any) -> None:
    project.add("first", 150)
    project.report()
    project.add("second", 199)
    store = project.report()
    capsys.readouterr()
    cli.main(["rollback", "digits"])
    assert capsys.readouterr().out == "version 1 (first) is the champion of digits again\n"
    assert champion_of(store) == "first"
    cli.main(["promote", "digits", "2", "--reason", "for the fair"])
    assert champion_of(store) == "second"
    changes = [(change.version, change.reason.split(":")[0]) for change in model_registry.history(store, "digits")]
    assert changes == [
        ("1", "the first model that passed its gates"),
        ("2", "better than first"),
        ("1", "rollback from version 2"),
        ("2", "for the fair"),
    ]
    cli.main(["registry"])
    shown = capsys.readouterr().out
    assert "digits" in shown and "version 2 (second): for the fair" in shown


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["promote", "digits", "7"], "digits has no version 7; its versions: 1 (first)"),
        (["promote", "digits", "1"], "version 1 (first) is the champion of digits already"),
        (["rollback", "digits"], "digits has had no other champion"),
        (["rollback", "letters"], "letters has had no other champion"),
        (["predict", "champion:letters", "x.png"], "letters has no champion; data sets with one: digits"),
    ],
)
def test_what_cannot_be_done_is_refused(project: Project, arguments: list[str], reason: str) -> None:
    project.add("first", 150)
    project.report()
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == f"error: {reason}"


def test_the_champion_is_used_like_a_run(project: Project, capsys: Any) -> None:
    project.add("first", 150)
    project.report()
    picture = project.paths.root / "picture.png"
    from PIL import Image

    Image.fromarray(prepared.load_array(project.data, "test_images")[0, :, :, 0]).save(picture)
    capsys.readouterr()
    answers = []
    for name in ("first", "champion:digits", "champion"):
        cli.main(["predict", name, str(picture), "--json"])
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] == answers[2]


def test_the_latency_is_that_of_single_requests(project: Project) -> None:
    project.add("first", 150)
    assert 0 < champion.measure_latency(project.paths.run("first", "digits").model) < 1000
    with pytest.raises(ValueError, match="cannot be measured"):
        champion.measure_latency(project.paths.root)


def open_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *, show: bool = False) -> Store:
    """The store as a process sees it that starts in this folder; `show`: after `cvnlp ui`, without its server."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # which MLflow sets for this process
    if show:
        with monkeypatch.context() as patch:
            patch.setattr(pages, "_serve", lambda uri, port: None)
            pages.show(port=0)
        return Store(MlflowClient(), "1")
    return mlflow_store.connect()


def test_a_moved_project_keeps_its_champion(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project.add("first", 150)
    project.report()
    weights = files.sha256(project.paths.run("first", "digits").model / "model.safetensors")
    moved = tmp_path.parent / f"{tmp_path.name} moved #1 (100%)"
    tmp_path.rename(moved)
    store = open_in(moved, monkeypatch, show=True)
    folder = model_registry.champion_folder(store, "digits")
    assert files.sha256(folder / "model.safetensors") == weights
    elsewhere = moved.parent / f"{tmp_path.name}_again"
    moved.rename(elsewhere)
    project = project.moved(elsewhere)
    project.add("second", 199)
    assert champion_of(open_in(elsewhere, monkeypatch)) == "first"
    assert champion_of(project.report()) == "second"


def test_a_copy_of_a_project_has_models_of_its_own(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.add("first", 150)
    store = project.report()
    second = tmp_path.parent / f"{tmp_path.name}-copy"  # begins with the path of the original
    shutil.copytree(tmp_path, second)
    shutil.rmtree(tmp_path / "mlflow/models")
    assert model_registry.champion_folder(open_in(second, monkeypatch), "digits").is_dir()
    back = open_in(tmp_path, monkeypatch)
    (version,) = model_registry.versions(store, "digits")
    run = back.client.get_run(version.run_id)
    assert run.info.artifact_uri.startswith(f"{tmp_path.as_uri()}/mlflow/")
