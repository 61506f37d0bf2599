"""The model card states what the files of a run state, and leaves out what does not exist yet."""

import re
import shutil
from pathlib import Path

import pytest

from cvnlp import files, provenance
from cvnlp.data import prepared
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.tracking import training_record
from cvnlp.tracking.model_card import model_card
from cvnlp.tracking.training_record import TrainingRecord
from model_server import save_model

PARAMS = """
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  letters: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}
runs:
  cnn: {domain: vision, dataset: digits, seed: 1, model: {name: cnn}, train: {epochs: 1}, evaluate: {},
    attack: {eps: [0.1]}, insight: {}}
  lstm: {domain: language, dataset: letters, seed: 1, model: {name: lstm}, train: {epochs: 1}, evaluate: {},
    attack: {shares: [0.1]}, insight: {}}
"""


@pytest.fixture
def runs(tmp_path: Path, vision_data: Path, language_data: Path) -> dict[str, RunPaths]:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    project = ProjectPaths(tmp_path)
    found = {"cnn": project.run("cnn", "digits"), "lstm": project.run("lstm", "letters")}
    for name, data in {"cnn": vision_data, "lstm": language_data}.items():
        shutil.copytree(data, found[name].prepared)
        save_model(found[name].model, data, name)
    return found


def card(run: RunPaths) -> str:
    return model_card(read_params(run.root / "params.yaml"), run, provenance.model_digest(run.model))


def rows(text: str) -> dict[str, str]:
    return {
        name.strip(): value.strip() for name, value in re.findall(r"^\|([^|\n]+)\|([^|\n]+)\|$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_data_licence_and_digest_are_stated(runs: dict[str, RunPaths], name: str) -> None:
    text, facts = card(runs[name]), prepared.read_facts(runs[name].prepared)
    assert text.startswith(f"# {name}\n")
    assert facts.licence[:20] in text
    assert facts.citation[:20] in text
    assert f"- train: {facts.sizes['train']:,}" in text
    assert provenance.model_digest(runs[name].model) in text


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_what_does_not_exist_yet_is_left_out(runs: dict[str, RunPaths], name: str) -> None:
    titles = re.findall(r"^## (.+)$", card(runs[name]), re.MULTILINE)
    assert titles == ["Use", "Data", "Limits", "Origin"]


def test_scores_are_those_of_the_files(runs: dict[str, RunPaths]) -> None:
    run = runs["cnn"]
    files.write_scores(run.scores, {"accuracy": 0.875, "nll": 0.25, "detail": 5.0}, metrics=["accuracy", "nll"])
    found = rows(card(run))
    assert found["accuracy"] == "0.875" and found["negative log-likelihood"] == "0.25"
    assert "detail" not in found and "5" not in found.values()


@pytest.mark.parametrize("changed", ["True", "False"])
def test_the_commit_is_that_of_the_training(runs: dict[str, RunPaths], changed: str) -> None:
    run = runs["lstm"]
    tags = {"git.commit": "abc123", "git.dirty": changed}
    record = TrainingRecord(tags=tags, ended=1.0, seconds=1.0, mlflow_run=None)
    training_record.write(run, provenance.model_digest(run.model), record)
    (line,) = re.findall(r"^- commit: (.+)$", card(run), re.MULTILINE)
    assert line.startswith("abc123")
    assert ("differ" in line) == (changed == "True")


def test_params_of_a_language_model_are_listed(runs: dict[str, RunPaths]) -> None:
    assert "- temperature: 0.8\n" in card(runs["lstm"])
    assert "`prompt`" in card(runs["lstm"]) and "`picture`" in card(runs["cnn"])


def test_a_network_without_a_background_class_is_said_to_have_none(runs: dict[str, RunPaths]) -> None:
    assert "Every picture gets one of these classes" in card(runs["cnn"])
