"""The folder quick/: a small run of the whole pipeline, apart from the results of the project."""

import pytest
from ruamel.yaml import YAML

from cloning import ROOT
from cvnlp.params import read_params
from cvnlp.params.runs import VisionRun

FOLDER = ROOT / "quick"
SMALL, DEFAULT = read_params(FOLDER / "params.yaml"), read_params(ROOT / "params.yaml")
TABLES = YAML(typ="safe").load((FOLDER / "params.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["dvc.yaml", "src", ".dvcignore"])
def test_pipeline_and_code_are_those_of_the_project(name: str) -> None:
    assert (FOLDER / name).is_symlink()
    assert (FOLDER / name).resolve() == ROOT / name


def test_the_folder_is_a_project_of_its_own() -> None:
    """DVC finds its root, so that results of the project stay as they are; git ignores what is written."""
    assert (FOLDER / ".dvc/config").is_file()
    ignored = (FOLDER / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/data/", "/reports/", "/dvc.lock", "/mlflow.db*", "/mlflow/"} <= set(ignored)


def test_both_halves_and_every_kind_of_network_of_the_course_are_trained() -> None:
    assert {run.model.name for run in SMALL.runs.values()} == {"rules", "mlp", "cnn", "ngram", "lstm"}
    assert {run.dataset for run in SMALL.runs.values()} == set(SMALL.datasets)


def test_dvc_finds_every_table_that_its_stages_are_made_from() -> None:
    assert set(TABLES) == {"datasets", "own", "runs"}


@pytest.mark.parametrize("name", SMALL.runs)
def test_a_run_is_smaller_than_the_default_one(name: str) -> None:
    small, default = SMALL.runs[name], DEFAULT.runs[name]
    assert small.model.name == default.model.name
    assert small.train.epochs <= default.train.epochs
    if isinstance(small, VisionRun) and isinstance(default, VisionRun):
        assert small.attack.images < default.attack.images
        assert small.insight.validation_images < default.insight.validation_images
