"""MLflow is completed from the files."""

import os
import re
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest

from cvnlp import domains, files, networks, provenance
from cvnlp.data import prepared
from cvnlp.params import Params, read_params
from cvnlp.paths import ProjectPaths, RunPaths, SeedPaths
from cvnlp.tracking import health, mlflow_store, stored_runs, sync, training_record
from cvnlp.tracking.mlflow_store import Store
from cvnlp.tracking.run_metadata import describe
from cvnlp.tracking.training_record import TrainingRecord
from make_networks import make_config

RUN = """
  {name}:
    domain: vision
    dataset: digits
    seed: 1
    model: {{name: rules}}
    train: {{epochs: 0}}
    evaluate: {{bins: 5}}
    attack: {{eps: [0.1]}}
    insight: {{}}
"""
DATASET = "datasets:\n  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}\nruns:"


Project = tuple[Params, dict[str, RunPaths]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vision_data: Path, empty_database: Path) -> Project:
    """A project with two runs that train the same model, and the files of both."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(DATASET + RUN.format(name="rules") + RUN.format(name="twin"))
    data_format = domains.DOMAINS["vision"].models.input_format(prepared.read_facts(vision_data))
    config = make_config("vision", "rules", data_format)
    config = config.model_copy(update={"processing": prepared.read_processing(vision_data)})
    settings = read_params(tmp_path / "params.yaml")
    project = ProjectPaths()
    shutil.copytree(vision_data, project.prepared("digits"))
    runs = {name: project.run(name, "digits") for name in settings.runs}
    for run in runs.values():
        networks.save(run.model, networks.build(config), config)
        files.write_text(run.history, "epoch,step,validation_nll\n0,5,2.5\n1,10,1.5\n")
        for name in ("training", "scores", "attacks", "insights"):
            files.write_scores(getattr(run, name), {f"{name}_of": 1.0, "detail": 2.0}, metrics=[f"{name}_of"])
        files.write_text(run.evaluation / "predictions.csv", "index\n0\n")
    return settings, runs


def test_runs_with_the_same_model_have_a_row_each(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    first = {name: sync.sync(settings, run, store) for name, run in runs.items()}
    again = {name: sync.sync(settings, run, store) for name, run in runs.items()}
    assert first == again
    assert len(set(first.values())) == 2
    assert len(store.client.search_logged_models([store.experiment])) == 2
    rules = store.client.get_run(first["rules"])
    assert rules.info.run_name == "rules"
    assert {"training/training_of", "test/scores_of", "attack/attacks_of", "insight/insights_of"} <= set(
        rules.data.metrics
    )
    scores = mlflow.artifacts.load_dict(f"{rules.info.artifact_uri}/scores.json")
    assert scores["insight"] == {"insights_of": 1.0, "detail": 2.0}
    assert not [name for name in rules.data.metrics if "detail" in name]
    history = store.client.get_metric_history(first["rules"], "validation_nll")
    assert sorted((entry.step, entry.value) for entry in history) == [(0, 2.5), (1, 1.5)]


def test_params_are_flat_with_the_keys_of_params_yaml(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    data = store.client.get_run(sync.sync(settings, runs["rules"], store)).data
    assert data.params["model.name"] == "rules"
    assert data.params["data.source"] == "mnist_sample"
    assert data.params["train.epochs"] == "0"
    assert not [key for key in data.params if key.startswith(("evaluate", "attack", "insight"))]
    assert '"bins":5' in data.tags["params.evaluate"]


def test_changed_scores_of_the_same_model_are_updated(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    run_id = sync.sync(settings, runs["rules"], store)
    files.write_json(runs["rules"].attacks, {"attacks_of": 0.25})
    assert sync.sync(settings, runs["rules"], store) == run_id
    assert store.client.get_run(run_id).data.metrics["attack/attacks_of"] == 0.25
    assert len(store.client.search_logged_models([store.experiment])) == 1


TAGS = {"training": "0123", "git.commit": "abc", "git.dirty": "False", "dvc.experiment": "brave-mole"}
RECORD = TrainingRecord(tags=TAGS, ended=1_000_100.0, seconds=100.0, mlflow_run=None)
ORIGIN = {"training", "git.commit", "git.dirty", "dvc.experiment", "dvc.experiment.baseline", "dvc.stage"}


def test_a_run_made_from_files_has_the_origin_of_its_training_and_not_of_the_report(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, runs = project
    monkeypatch.setenv("DVC_EXP_NAME", "another-experiment")
    training_record.write(runs["rules"], provenance.model_digest(runs["rules"].model), RECORD)
    store = mlflow_store.connect()
    run = store.client.get_run(sync.sync(settings, runs["rules"], store))
    assert {name: value for name, value in run.data.tags.items() if name in ORIGIN} == TAGS
    assert run.data.tags["mlflow.source.git.commit"] == "abc"
    assert (run.info.start_time, run.info.end_time) == (1_000_000_000, 1_000_100_000)
    assert run.info.status == "FINISHED"


def test_a_model_trained_elsewhere_has_no_origin_and_no_duration(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, runs = project
    monkeypatch.setenv("DVC_EXP_NAME", "another-experiment")
    training_record.write(runs["rules"], "0123456789abcdef of another model", RECORD)
    store = mlflow_store.connect()
    run = store.client.get_run(sync.sync(settings, runs["rules"], store))
    assert not ORIGIN & set(run.data.tags) and "mlflow.source.git.commit" not in run.data.tags
    assert (run.info.status, run.info.end_time) == ("FINISHED", None)


def interrupted(store: Store, settings: Params, run: RunPaths, **tags: str) -> str:
    """A run that MLflow has lost sight of after its first epoch."""
    run_id = store.create_run(describe(settings, run, TAGS | tags), started=1_000_000.0)
    store.log_metrics(run_id, {"validation_nll": 2.5}, 0)
    return run_id


@pytest.mark.parametrize("status", ["RUNNING", "KILLED"])
def test_the_run_of_a_training_during_which_mlflow_failed_is_completed(project: Project, status: str) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    run_id = interrupted(store, settings, runs["rules"], host="another")
    store.client.update_run(run_id, status=status)
    digest = provenance.model_digest(runs["rules"].model)
    training_record.write(runs["rules"], digest, RECORD.model_copy(update={"mlflow_run": run_id}))
    assert sync.sync(settings, runs["rules"], store) == run_id
    (run,) = store.find_runs("tags.run = 'rules'")
    assert (run.info.status, run.info.end_time, run.data.tags["model.sha256"]) == ("FINISHED", 1_000_100_000, digest)
    history = store.client.get_metric_history(run_id, "validation_nll")
    assert sorted((entry.step, entry.value) for entry in history) == [(0, 2.5), (1, 1.5)]


def test_a_run_that_is_not_in_this_store_is_created(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    digest = provenance.model_digest(runs["rules"].model)
    training_record.write(runs["rules"], digest, RECORD.model_copy(update={"mlflow_run": "f" * 32}))
    sync.sync(settings, runs["rules"], store)
    assert len(store.find_runs("tags.run = 'rules'")) == 1


def test_what_an_interruption_left_of_a_finished_training_is_marked_killed(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    here = {"host": os.uname().nodename}
    killed = [
        interrupted(store, settings, runs["rules"], host="another"),
        interrupted(store, settings, runs["rules"], **here, pid=str(2**22 + 1)),  # above the largest id of a process
    ]
    running = [
        interrupted(store, settings, runs["rules"], **here, pid=str(os.getpid())),
        interrupted(store, settings, runs["rules"], host="another", training="of other settings"),
        interrupted(store, settings, runs["twin"], host="another"),
    ]
    training_record.write(runs["rules"], provenance.model_digest(runs["rules"].model), RECORD)
    sync.complete_all(settings, ProjectPaths(), store)
    statuses = {run.info.run_id: run.info.status for run in store.find_runs("")}
    assert [statuses.pop(run) for run in killed] == ["KILLED"] * 2
    assert [statuses.pop(run) for run in running] == ["RUNNING"] * 3
    assert list(statuses.values()) == ["FINISHED"] * 2


def test_what_mlflow_lacks_is_named(project: Project) -> None:
    settings, runs = project
    assert health.check_runs(settings, ProjectPaths()) == ([], ["rules", "twin"])
    store = mlflow_store.connect()
    sync.complete_all(settings, ProjectPaths(), store)
    orphan = interrupted(store, settings, runs["twin"], host=os.uname().nodename, pid=str(2**22 + 1))
    assert health.check_runs(settings, ProjectPaths()) == (["twin"], [])
    assert store.client.get_run(orphan).info.status == "RUNNING"  # is only looked at
    files.write_json(runs["rules"].attacks, {"attacks_of": 0.25})
    runs["twin"].scores.unlink()  # not evaluated yet
    assert health.check_runs(settings, ProjectPaths())[1] == ["rules"]


def test_epochs_that_a_finished_run_lacks_are_added(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    run_id = interrupted(store, settings, runs["rules"])
    store.set_tags(run_id, {"model.sha256": provenance.model_digest(runs["rules"].model)})
    store.finish(run_id, ended=1_000_100.0)
    assert sync.sync(settings, runs["rules"], store) == run_id
    history = store.client.get_metric_history(run_id, "validation_nll")
    assert sorted((entry.step, entry.value) for entry in history) == [(0, 2.5), (1, 1.5)]


def test_a_moved_project_keeps_its_artifacts(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings, runs = project
    sync.sync(settings, runs["rules"], mlflow_store.connect())
    moved = tmp_path.parent / f"{tmp_path.name} ? moved #1 (100%)"
    tmp_path.rename(moved)
    monkeypatch.chdir(moved)
    monkeypatch.setenv("DVC_ROOT", str(moved))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # which MLflow sets for this process
    store = mlflow_store.connect()
    (run,) = store.find_runs("")
    assert [entry.path for entry in store.client.list_artifacts(run.info.run_id)] == ["evaluation", "scores.json"]
    (model,) = store.client.search_logged_models([store.experiment])
    assert len(mlflow.pyfunc.load_model(model.model_uri).predict({"picture": np.zeros((2, 12, 12, 1))})) == 2
    sync.sync(settings, runs["twin"], store)
    assert not tmp_path.exists()
    assert {path.name for path in moved.iterdir()} == {
        ".mlflow.lock",
        "data",
        "mlflow",
        "mlflow.db",
        "params.yaml",
        "reports",
    }


def test_a_logged_model_has_the_classes_of_its_network_and_the_digest_of_its_files(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    sync.sync(settings, runs["rules"], store)
    (model,) = store.client.search_logged_models([store.experiment])
    signature = mlflow.models.get_model_info(model.model_uri).signature
    classes = [f"probability_{label}" for label in range(10)]
    assert signature.outputs.input_names() == ["class", "class_id", *classes]
    assert model.tags["model.sha256"] == provenance.model_digest(runs["rules"].model)


def test_the_card_of_a_logged_model_follows_its_scores(project: Project) -> None:
    settings, runs = project
    store = mlflow_store.connect()
    for accuracy in (0.5, 0.75):
        files.write_scores(runs["rules"].scores, {"accuracy": accuracy}, metrics=["accuracy"])
        sync.sync(settings, runs["rules"], store)
        (model,) = store.client.search_logged_models([store.experiment])
        card = mlflow.artifacts.load_text(f"{model.artifact_location}/README.md")
        assert model.tags["mlflow.note.content"] == card
        assert re.search(rf"^\| accuracy \| +{accuracy} \|$", card, re.MULTILINE)


def test_a_model_without_class_names_is_not_logged(project: Project) -> None:
    settings, runs = project
    config = runs["rules"].model / "config.json"
    content = files.read_json(config)
    files.write_json(config, {name: value for name, value in content.items() if name != "processing"})
    store = mlflow_store.connect()
    sync.sync(settings, runs["rules"], store)
    assert len(store.find_runs("tags.run = 'rules'")) == 1
    assert len(store.client.search_logged_models([store.experiment])) == 0


def test_every_other_seed_has_a_run_below_that_of_its_run(project: Project) -> None:
    settings, runs = project
    run, store = runs["rules"], mlflow_store.connect()
    seed = SeedPaths(run.seeds / "7")
    shutil.copytree(run.model, seed.model)
    files.write_text(seed.history, "epoch,step,validation_nll\n0,5,2.25\n")
    files.write_json(seed.scores, {"key": "a", "scores": {"accuracy": 0.75, "images": 50.0}})
    files.write_text(seed.evaluation / "predictions.csv", "index\n0\n")
    sync.complete_all(settings, ProjectPaths(), store)
    sync.complete_all(settings, ProjectPaths(), store)
    (found,) = store.find_runs("tags.seed = '7'")
    (own,) = store.find_runs("tags.run = 'rules'")
    assert (found.info.run_name, found.info.status) == ("rules-seed7", "FINISHED")
    assert found.data.tags["mlflow.parentRunId"] == own.info.run_id
    assert found.data.params == own.data.params | {"seed": "7"}
    assert (found.data.metrics["test/accuracy"], found.data.metrics["validation_nll"]) == (0.75, 2.25)
    with stored_runs.open_run(found.info.run_id) as stored:
        assert stored.scores == {"accuracy": 0.75, "images": 50.0}
        assert (stored.evaluation / "predictions.csv").is_file()
    files.write_json(seed.scores, {"key": "b", "scores": {"accuracy": 0.5}})
    sync.complete_all(settings, ProjectPaths(), store)
    (found,) = store.find_runs("tags.seed = '7'")
    assert found.data.metrics["test/accuracy"] == 0.5
