"""MLflow brought up to the files."""

from pathlib import Path

import pytest

from cvnlp import domains, files, networks
from cvnlp.data import prepared
from cvnlp.params import read_params
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


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vision_data: Path):
    """Params of two runs that come to the same model, and the files of both."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(DATASET + RUN.format(name="rules") + RUN.format(name="twin"))
    arguments = domains.DOMAINS["vision"].models.input_format(prepared.read_facts(vision_data))
    config = make_config("vision", "rules", arguments)
    found = {}
    for run in ("rules", "twin"):
        networks.save(tmp_path / run, networks.build(config), config)
        files.write_text(tmp_path / f"{run}.csv", "epoch,step,validation_nll\n0,5,2.5\n1,10,1.5\n")
        for name in ("training", "scores", "attacks", "insights"):
            files.write_json(tmp_path / f"{run}-{name}.json", {f"{name}_of": 1.0})
        files.write_text(tmp_path / f"{run}-details" / "predictions.csv", "index\n0\n")
        found[run] = sync.Files(
            data=vision_data,
            model=tmp_path / run,
            history=tmp_path / f"{run}.csv",
            training=tmp_path / f"{run}-training.json",
            scores=tmp_path / f"{run}-scores.json",
            attacks=tmp_path / f"{run}-attacks.json",
            insights=tmp_path / f"{run}-insights.json",
            details=tmp_path / f"{run}-details",
            figures=tmp_path / "none",
        )
    return read_params(tmp_path / "params.yaml"), found


def test_runs_of_the_same_model_have_a_row_each(made):
    settings, found = made
    client, experiment = mlflow_store.connect()
    first = {run: sync.project(settings, run, found[run], client, experiment) for run in found}
    again = {run: sync.project(settings, run, found[run], client, experiment) for run in found}
    assert first == again
    assert len(set(first.values())) == 2
    assert len(client.search_logged_models([experiment])) == 2
    rules = client.get_run(first["rules"])
    assert rules.info.run_name == "rules"
    assert {"training_of", "test/scores_of", "attack/attacks_of", "insight/insights_of"} <= set(rules.data.metrics)
    history = client.get_metric_history(first["rules"], "validation_nll")
    assert sorted((entry.step, entry.value) for entry in history) == [(0, 2.5), (1, 1.5)]


def test_changed_scores_of_the_same_model_are_brought_up_to_date(made):
    settings, found = made
    client, experiment = mlflow_store.connect()
    run_id = sync.project(settings, "rules", found["rules"], client, experiment)
    files.write_json(found["rules"].attacks, {"attacks_of": 0.25})
    assert sync.project(settings, "rules", found["rules"], client, experiment) == run_id
    assert client.get_run(run_id).data.metrics["attack/attacks_of"] == 0.25
    assert len(client.search_logged_models([experiment])) == 1
