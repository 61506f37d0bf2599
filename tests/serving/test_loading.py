"""`cvnlp.load`: by run, by folder, and what is refused."""

import shutil
from pathlib import Path

import pytest

import cvnlp
from cvnlp.language.serving import LanguageModel
from cvnlp.serving.loading import find_model
from cvnlp.vision.serving import ImageClassifier
from make_models import make_model

PARAMS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
runs:
  small: &run
    {domain: vision, dataset: digits, seed: 1, model: {name: mlp}, train: {epochs: 1},
     evaluate: {}, attack: {eps: [0.1]}, insight: {}}
  untrained: *run
"""


@pytest.fixture
def project(tmp_path: Path, vision_data: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    make_model(tmp_path / "data/models/small", vision_data)
    return tmp_path


def test_a_run_is_loaded_by_its_name(project: Path) -> None:
    model = cvnlp.load("small", root=project)
    assert isinstance(model, ImageClassifier)
    assert model.classes == tuple(map(str, range(10))) and model.shape == (12, 12, 1)


def test_a_folder_is_loaded_without_a_project(tmp_path: Path, language_data: Path) -> None:
    model = cvnlp.load(make_model(tmp_path / "lstm", language_data))
    assert isinstance(model, LanguageModel)
    assert model.vocabulary[0] == "<unk>"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("other", "'other' is no run of "),
        ("untrained", "'untrained' is not trained: `dvc repro train@untrained`"),
    ],
)
def test_a_model_that_does_not_exist_is_refused_with_the_choices(project: Path, name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"; trained runs: small$") as caught:
        cvnlp.load(name, root=project)
    assert str(caught.value).startswith(reason)


def test_only_runs_of_a_half_are_choices(project: Path) -> None:
    with pytest.raises(ValueError, match=r"is no language run of .*; trained language runs: none"):
        find_model("small", project, half="language")


def test_a_damaged_model_is_refused(project: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(project / "data/models/small", tmp_path / "damaged")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        cvnlp.load(folder)


def test_a_missing_attribute_of_the_package_is_named() -> None:
    with pytest.raises(AttributeError, match="'lode'"):
        cvnlp.lode  # noqa: B018
