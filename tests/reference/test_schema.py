"""The JSON Schema of params.yaml: it accepts what the pipeline accepts, and refuses a wrong key or value."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

import params_file
from cvnlp import cli
from cvnlp.params import Params, read_params
from cvnlp.params.base import Strict
from cvnlp.params.language_networks import LanguageNetwork
from cvnlp.params.vision_networks import VisionNetwork
from cvnlp.reference.descriptions import describe, models_in
from cvnlp.reference.schema import all_models, params_schema

ROOT = Path(__file__).parents[2]
FILES = [*ROOT.glob("params.yaml"), *sorted(ROOT.glob("*/params.yaml")), ROOT / "benchmarks/larger.yaml"]
NETWORKS = [("first", form) for form in models_in(VisionNetwork)]
NETWORKS += [("second", form) for form in models_in(LanguageNetwork)]
KEYS = [(form, key) for form in all_models(Params) for key in form.model_fields if form is not Params]
VALIDATOR = jsonschema.Draft7Validator(params_schema())


def errors(content: Any) -> list[str]:
    """Path and message of each mistake, those of the member of a union that applies."""
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in VALIDATOR.iter_errors(content)]


def test_the_schema_is_valid() -> None:
    jsonschema.Draft7Validator.check_schema(params_schema())


def test_the_file_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of params: `cvnlp schema > params.schema.json`."""
    cli.main(["schema"])
    assert (ROOT / "params.schema.json").read_text(encoding="utf-8") == capsys.readouterr().out


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_files_of_the_project_are_valid(path: Path) -> None:
    """With anchors and merge keys in those of benchmarks/."""
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert errors({"datasets": {}, **content}) == []


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "params.yaml"], ids=lambda path: path.parent.name
)
def test_the_first_line_of_params_names_the_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "params.schema.json"


def test_the_params_of_other_tests_are_valid() -> None:
    assert errors(params_file.GOOD) == []


@pytest.mark.parametrize(("run", "form"), NETWORKS, ids=[form.__name__ for _, form in NETWORKS])
def test_every_network_is_valid_with_its_defaults_and_refuses_an_unknown_option(run: str, form: type[Strict]) -> None:
    model = {**form().model_dump(mode="json"), "name": form.model_fields["name"].default}
    assert errors(params_file.changed({f"runs.{run}.model": model})) == []
    (error,) = errors(params_file.changed({f"runs.{run}.model": {**model, "wings": 2}}))
    assert error.startswith(f"runs.{run}.model: ")
    assert "'wings' was unexpected" in error


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("runs.first.model.name", "mpl"),
        ("runs.first.model.name", "lstm"),
        ("runs.first.model.hidden", 8),
        ("runs.first.train.epochs", "many"),
        ("runs.first.train.lr", 0),
        ("runs.first.train.rl", 0.1),
        ("runs.first.train.optimiser.name", "adam"),
        ("runs.first.attack.eps", []),
        ("runs.first.domain", "language"),
        ("runs.second.model.dropout", 1.0),
        ("runs.second.model.dropout", {"inputs": 0.1}),
        ("datasets.pictures.source", "shakespeare"),
        ("datasets.pictures.validation", 0),
        ("datasets.pictures.test", ["hamlet"]),
        ("datasets.letters.test", 5),
        ("own.album.size", [32]),
        ("own.diary.size", [32, 32]),
        ("runs.a-b", {}),
        ("run", {}),
    ],
)
def test_a_wrong_key_or_value_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    """By the schema, as by the pipeline."""
    content = params_file.changed({key: value})
    assert errors(content) != []
    with pytest.raises(ValueError, match=r"params\.yaml"):
        read_params(params_file.write(tmp_path, content))


@pytest.mark.parametrize("missing", ["runs", "datasets.pictures.domain", "runs.first.model.name", "runs.second.train"])
def test_a_missing_key_is_refused(missing: str) -> None:
    (error, *_) = errors(params_file.changed({missing: params_file.REMOVED}))
    assert error.endswith(f"'{missing.rpartition('.')[2]}' is a required property")


@pytest.mark.parametrize(("form", "key"), KEYS, ids=[f"{form.__name__}.{key}" for form, key in KEYS])
def test_every_key_is_described(form: type[Strict], key: str) -> None:
    """In the docstring of its block as `key`, or in FURTHER of descriptions.py."""
    assert describe(form, key)


def test_json_of_the_schema_names_no_python_class_as_title() -> None:
    assert json.dumps(params_schema()).count('"title"') == 1
