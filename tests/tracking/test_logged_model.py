"""The model in MLflow takes pictures or prompts, refuses the rest, and needs only its own files and requirements."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from PIL import Image

import source_tree
from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.language.serving import language_model, limits
from cvnlp.params.network_config import parse_config
from cvnlp.serving.loading import load_classifier, load_language_model
from cvnlp.tracking import logged_model
from cvnlp.tracking.signature import interface
from model_server import Answer, ModelServer, save_model, serve_app

HALVES = ["vision", "language"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, vision_data: Path, words_data: Path) -> dict[str, Path]:
    """Half -> folder of a model."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "vision": save_model(folder / "vision", vision_data, "cnn"),
        "language": save_model(folder / "language", words_data, "lstm"),
    }


@pytest.fixture(scope="module")
def saved(
    models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, vision_data: Path, words_data: Path
) -> dict[str, Path]:
    """Half -> folder of the model as MLflow stores it."""
    folder, data = tmp_path_factory.mktemp("saved"), {"vision": vision_data, "language": words_data}
    for half, model in models.items():
        config = parse_config(model / "config.json", files.read_json(model / "config.json"))
        mlflow.pyfunc.save_model(folder / half, **logged_model.content(model, config, data[half]))
    return {half: folder / half for half in models}


@pytest.fixture(scope="module")
def loaded(saved: dict[str, Path]) -> dict[str, Any]:
    return {half: mlflow.pyfunc.load_model(str(folder)) for half, folder in saved.items()}


@pytest.fixture(scope="module")
def images(vision_data: Path) -> np.ndarray:
    return np.array(prepared.load_array(vision_data, "test_images")[:3])


@pytest.fixture(scope="module")
def encoded(images: np.ndarray) -> list[str]:
    contents = [io.BytesIO() for _ in images]
    for content, image in zip(contents, images, strict=True):
        Image.fromarray(image[..., 0]).save(content, "PNG")
    return [base64.b64encode(content.getvalue()).decode() for content in contents]


# Pictures -------------------------------------------------------------------------------------------------------------


def test_pictures_in_base64_are_classified_as_by_the_classifier(
    loaded: dict[str, Any], models: dict[str, Path], encoded: list[str]
) -> None:
    expected = load_classifier(models["vision"]).predict([base64.b64decode(text) for text in encoded])
    found = loaded["vision"].predict(pd.DataFrame({"picture": encoded}))
    assert list(found.columns[:2]) == ["class", "class_id"]
    assert found["class"].tolist() == [one.label for one in expected]
    assert found["class_id"].tolist() == [one.index for one in expected]
    for row, one in zip(found.to_dict("records"), expected, strict=True):
        probabilities = {name.removeprefix("probability_"): row[name] for name in found.columns[2:]}
        assert probabilities == pytest.approx(one.probabilities, abs=1e-6)


@pytest.mark.parametrize("kind", ["list", "series", "dictionary", "array of text", "bytes"])
def test_pictures_come_in_any_form_of_a_column(loaded: dict[str, Any], encoded: list[str], kind: str) -> None:
    given = {
        "list": encoded,
        "series": pd.Series(encoded),
        "dictionary": {"picture": encoded},
        "array of text": np.array(encoded),
        "bytes": pd.DataFrame({"picture": [base64.b64decode(text) for text in encoded]}),
    }
    expected = loaded["vision"].predict(pd.DataFrame({"picture": encoded}))
    pd.testing.assert_frame_equal(loaded["vision"].predict(given[kind]), expected)


@pytest.mark.parametrize("form", [np.uint8, np.float32, "unit", "lists", "grey"])
def test_arrays_are_classified_as_the_pictures(
    loaded: dict[str, Any], images: np.ndarray, encoded: list[str], form: Any
) -> None:
    arrays = images / np.float32(255) if form == "unit" else images if isinstance(form, str) else images.astype(form)
    arrays = arrays[..., 0] if form == "grey" else arrays
    expected = loaded["vision"].predict(encoded)
    for given in (pd.DataFrame({"picture": list(arrays)}), {"picture": arrays}):
        cells = pd.DataFrame({"picture": arrays.tolist()}) if form == "lists" else given
        pd.testing.assert_frame_equal(loaded["vision"].predict(cells), expected, atol=1e-6)


WRONG_PICTURES: list[Any] = [
    *(["no base64!"], [""], ["QUJD"], "QUJD", [None], [5], [1.5], [True], [[]], [["a", 5]], [float("nan")]),
    *(
        [{}],
        [{"a": 1}],
        5,
        None,
        True,
        {"image": ["QUJD"]},
        {"picture": [[1, 2]]},
    ),
    *({"picture": [np.zeros((12, 12, 3))]}, {"picture": [np.zeros((5, 5))]}, {"picture": [np.full((12, 12), 256)]}),
    *({"picture": [np.full((12, 12), np.nan)]}, {"picture": [np.full((12, 12), -0.5)]}, {"picture": [[[1], [1, 2]]]}),
    *({"picture": [np.zeros((12, 12)), np.zeros((12, 11))]}, {"picture": [np.full((12, 12), "a")]}),
    {"picture": ["QUJD", np.zeros((12, 12))]},
]


@pytest.mark.parametrize("given", WRONG_PICTURES, ids=lambda given: re.sub(r"\s+", " ", repr(given))[:50])
def test_other_pictures_are_an_invalid_value(loaded: dict[str, Any], given: Any) -> None:
    with pytest.raises(MlflowException) as refused:
        loaded["vision"].predict(given)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_unusable_pictures_are_named_by_their_position(loaded: dict[str, Any], encoded: list[str]) -> None:
    with pytest.raises(MlflowException, match=r"picture 1: not base64$"):
        loaded["vision"].predict([encoded[0], "?", encoded[1]])
    with pytest.raises(MlflowException, match=r"picture 0: .*; picture 2: "):
        loaded["vision"].predict(["QUJD", encoded[0], "QUJD"])


def test_no_pictures_are_no_rows(loaded: dict[str, Any]) -> None:
    assert len(loaded["vision"].predict(pd.DataFrame({"picture": []}))) == 0


def test_a_class_may_have_the_name_of_a_column(tmp_path: Path, vision_data: Path) -> None:
    folder = save_model(tmp_path / "model", vision_data, "mlp")
    content = files.read_json(folder / "config.json")
    content["processing"]["classes"][:3] = ["class", "class_id", "probability_class"]
    files.write_json(folder / "config.json", content)
    config = parse_config(folder / "config.json", content)
    mlflow.pyfunc.save_model(tmp_path / "saved", **logged_model.content(folder, config, vision_data))
    model = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    found = model.predict(model.input_example)
    assert list(found.columns) == [column.name for column in model.metadata.signature.outputs]
    assert len(set(found.columns)) == 12
    assert found["class"].isin(content["processing"]["classes"]).all()
    assert found["probability_class"].between(0, 1).all()


# Prompts --------------------------------------------------------------------------------------------------------------

PARAMS = {"tokens": 20, "temperature": 1.1, "seed": 5, "top_k": 9, "top_p": 0.8}


@pytest.mark.parametrize("form", [list, pd.Series, lambda given: pd.DataFrame({"prompt": given})])
def test_prompts_are_continued_and_scored_as_by_the_model(
    loaded: dict[str, Any], models: dict[str, Path], form: Any
) -> None:
    model, prompts = load_language_model(models["language"]), ["Hamlet: to", "to be, or"]
    found = loaded["language"].predict(form(prompts), params=PARAMS)
    assert found["continuation"].tolist() == [model.generate(prompt, **PARAMS) for prompt in prompts]
    assert found["perplexity"].tolist() == pytest.approx([model.perplexity(prompt).perplexity for prompt in prompts])


def test_the_defaults_are_those_of_the_library(loaded: dict[str, Any], models: dict[str, Path]) -> None:
    found = loaded["language"].predict("to be")
    assert found["continuation"].tolist() == [load_language_model(models["language"]).generate("to be")]
    defaults = interface(load_language_model(models["language"]).config).params
    assert (defaults["tokens"], defaults["temperature"], defaults["seed"]) == (
        language_model.TOKENS,
        language_model.TEMPERATURE,
        language_model.SEED,
    )


def test_no_tokens_are_no_continuation_and_no_text_has_no_perplexity(loaded: dict[str, Any]) -> None:
    found = loaded["language"].predict(["to", ""], params={"tokens": 0})
    assert found["continuation"].tolist() == ["", ""]
    assert found["perplexity"].iloc[1] is None


WRONG_PROMPTS: list[Any] = [[None], [5], [1.5], [{}], [float("nan")], 5, None, {"text": ["a"]}, {"prompt": [5, "a"]}]
WRONG_PARAMS: list[dict[str, Any]] = [
    *({"tokens": -1}, {"tokens": limits.MAX_TOKENS + 1}, {"tokens": 1.5}, {"tokens": "5"}, {"tokens": None}),
    *({"temperature": -1.0}, {"temperature": float("nan")}, {"temperature": float("inf")}, {"seed": -1}),
    *({"seed": 2**32}, {"top_k": -1}, {"top_k": 2**40}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_p": float("nan")}),
]


@pytest.mark.parametrize("given", WRONG_PROMPTS, ids=repr)
def test_other_prompts_are_an_invalid_value(loaded: dict[str, Any], given: Any) -> None:
    with pytest.raises(MlflowException) as refused:
        loaded["language"].predict(given)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("params", WRONG_PARAMS, ids=repr)
def test_other_params_are_an_invalid_value(loaded: dict[str, Any], params: dict[str, Any]) -> None:
    with pytest.raises(MlflowException) as refused:
        loaded["language"].predict(["to"], params=params)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_a_long_prompt_is_an_invalid_value(loaded: dict[str, Any]) -> None:
    with pytest.raises(MlflowException, match="prompt 1 has 100,001 characters, more than 100,000"):
        loaded["language"].predict(["to", "a" * 100_001])


# What MLflow stores ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES)
def test_the_example_is_answered_as_the_signature_states(loaded: dict[str, Any], half: str) -> None:
    model = loaded[half]
    found = model.predict(model.input_example)
    columns = {column.name: column.type.name for column in model.metadata.signature.outputs}
    assert list(found.columns) == list(columns)
    kinds = {"string": str, "long": (int, np.integer), "double": float}
    assert [name for name, kind in columns.items() if not isinstance(found[name].iloc[0], kinds[kind])] == []


def test_params_have_types_and_defaults(loaded: dict[str, Any]) -> None:
    params = {param.name: (param.dtype.name, param.default) for param in loaded["language"].metadata.signature.params}
    assert params == {
        "tokens": ("long", 400),
        "temperature": ("double", 0.8),
        "seed": ("long", 1),
        "top_k": ("long", 0),
        "top_p": ("double", 1.0),
    }


@pytest.mark.parametrize("half", HALVES)
def test_requirements_are_pinned_without_local_variants(saved: dict[str, Path], half: str) -> None:
    lines = (saved[half] / "requirements.txt").read_text(encoding="utf-8").split()
    assert {line.partition("==")[0] for line in lines} == set(logged_model.REQUIREMENTS)
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert f"numpy=={version('numpy')}" in lines


ALONE = """
import json, sys
import mlflow

model = mlflow.pyfunc.load_model(sys.argv[1])
found = model.predict(model.input_example)
import cvnlp
modules = sorted(name for name in sys.modules if name.partition(".")[0] == "cvnlp")
print(json.dumps({"rows": len(found), "code": cvnlp.__file__, "modules": modules}))
"""


@pytest.mark.parametrize("half", HALVES)
def test_a_saved_model_needs_only_its_own_code_and_requirements(
    saved: dict[str, Path], half: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", ALONE, str(saved[half])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rows"] == 1
    assert Path(found["code"]).is_relative_to(saved[half])
    imported = {name.partition(".")[0] for module in found["modules"] for name in source_tree.IMPORTS_AT_START[module]}
    distributions = packages_distributions()
    needed = {name.lower() for top in imported - {"cvnlp"} for name in distributions.get(top, [])}
    assert needed - {"ruamel.yaml.clib"} <= {name.lower() for name in logged_model.REQUIREMENTS}
    assert "Warning" not in done.stderr


# MLflow's server ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(loaded: dict[str, Any]) -> Iterator[dict[str, ModelServer]]:
    vision, language = (serve_app(scoring_server.init(loaded[half])) for half in HALVES)
    with vision as first, language as second:
        yield {"vision": first, "language": second}


def post(server: ModelServer, content: Any) -> Answer:
    return server.post("/invocations", content)


def test_mlflows_server_answers(servers: dict[str, ModelServer], encoded: list[str], images: np.ndarray) -> None:
    split = {"columns": ["picture"], "data": [[text] for text in encoded]}
    expected = post(servers["vision"], {"dataframe_split": split}).json["predictions"]
    assert len(expected) == len(encoded) and "probability_0" in expected[0]
    for content in ({"inputs": encoded}, {"dataframe_records": [{"picture": text} for text in encoded]}):
        assert post(servers["vision"], content).json["predictions"] == expected
    records = [{"picture": (image / 255).tolist()} for image in images]  # no number is cast to the type of another
    found = post(servers["vision"], {"dataframe_records": records}).json["predictions"]
    assert [one["probability_3"] for one in found] == pytest.approx(
        [one["probability_3"] for one in expected], abs=1e-6
    )
    text = post(servers["language"], {"inputs": ["to be", ""], "params": {"tokens": 5}}).json["predictions"]
    assert text[0]["perplexity"] > 1 and text[1]["perplexity"] is None


BAD_BODIES: list[Any] = [
    *(None, 5, "text", [], {}, {"inputs": None}, {"inputs": 5}, {"inputs": [5]}),
    *({"dataframe_split": []}, {"dataframe_split": {"columns": ["other"], "data": [["a"]]}}, {"dataframe_records": 5}),
    *({"dataframe_records": [{"other": 1}]}, {"dataframe_records": [5]}, {"inputs": {"other": [1]}}, {"instances": 5}),
    *({"inputs": ["QUJD"], "params": 5}, {"inputs": [None]}, {"inputs": [float("nan")]}, {"inputs": [10**400]}),
]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("content", BAD_BODIES, ids=lambda content: repr(content)[:50])
def test_mlflows_server_refuses_other_input_with_400(servers: dict[str, ModelServer], half: str, content: Any) -> None:
    answer = post(servers[half], content)
    assert answer.status == 400, answer.content
    assert answer.json["message"]


def test_every_half_has_an_interface() -> None:
    assert set(HALVES) == set(domains.HALVES)
