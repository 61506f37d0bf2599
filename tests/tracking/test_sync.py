"""MLflow is completed from the files."""

import shutil
from pathlib import Path

import pytest

from cvnlp import domains, files, networks
from cvnlp.data import prepared
from cvnlp.params import Params, read_params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.tracking import mlflow_store, sync
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
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vision_data: Path) -> Project:
    """A project with two runs that train the same model, and the files of both."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(DATASET + RUN.format(name="rules") + RUN.format(name="twin"))
    data_format = domains.DOMAINS["vision"].models.input_format(prepared.read_facts(vision_data))
    config = make_config("vision", "rules", data_format)
    settings = read_params(tmp_path / "params.yaml")
    project = ProjectPaths()
    shutil.copytree(vision_data, project.prepared("digits"))
    runs = {name: project.run(name, "digits") for name in settings.runs}
    for run in runs.values():
        networks.save(run.model, networks.build(config), config)
        files.write_text(run.history, "epoch,step,validation_nll\n0,5,2.5\n1,10,1.5\n")
        for name in ("training", "scores", "attacks", "insights"):
            files.write_json(getattr(run, name), {f"{name}_of": 1.0})
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
    assert {"training_of", "test/scores_of", "attack/attacks_of", "insight/insights_of"} <= set(rules.data.metrics)
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
