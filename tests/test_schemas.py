"""What params.yaml may say of a network is what its constructor takes."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cvnlp.schemas import network_schemas
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from cvnlp import domains
from cvnlp.params import read_params
from cvnlp.params.option_types import Block

PACKAGE = Path(domains.__file__).parent
NETWORKS = [(half, name) for half in domains.HALVES for name in domains.choices(half).networks]

MADE = '''
from cvnlp.options import Fraction, Literal, PositiveInt, Several
import a_package_that_is_not_installed

class Base:
    def __init__(self, shape, *, size: PositiveInt, dropout: Fraction = 0.5, kind: Literal["a", "b"] = "a") -> None:
        """A constructor whose first arguments come from the data."""

class Heir(Base):
    """Inherits its constructor."""

class Grandchild(Heir):
    pass

class Other(Base):
    def __init__(self, shape, *, sizes: Several = [1, 2], limit: PositiveInt | None = None) -> None:
        """A constructor of its own."""

class More(Heir):
    def __init__(self, shape, *, depth: PositiveInt = 2, dropout: Fraction = 0.1, **options) -> None:
        super().__init__(shape, dropout=dropout, **options)

class Most(More, object):
    def __init__(self, shape, *, height: PositiveInt = 3, **options) -> None:
        super().__init__(shape, **options)

MODELS = {"base": Base, "heir": Heir, "grandchild": Grandchild, "other": Other, "more": More, "most": Most}
'''


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "models.py").write_text(MADE, encoding="utf-8")
    return network_schemas(tmp_path / "models.py")


def constructor(half: str, name: str) -> dict[str, inspect.Parameter]:
    """The keyword-only arguments of the class itself, and of those that it hands `**options` on to; imports torch."""
    found: dict[str, inspect.Parameter] = {}
    for one in domains.DOMAINS[half].models.MODELS[name].__mro__:
        if "__init__" in vars(one):
            values = inspect.signature(one.__init__).parameters.values()
            found = {value.name: value for value in values if value.kind is value.KEYWORD_ONLY} | found
            if not any(value.kind is value.VAR_KEYWORD for value in values):
                break
    return found


@pytest.mark.parametrize("half", domains.HALVES)
def test_every_network_of_the_table_has_a_schema(half: str) -> None:
    assert list(domains.choices(half).networks) == list(domains.DOMAINS[half].models.MODELS)


@pytest.mark.parametrize(("half", "name"), NETWORKS)
def test_schema_has_the_keyword_arguments_of_the_class(half: str, name: str) -> None:
    assert list(domains.choices(half).networks[name].model_fields) == list(constructor(half, name))


@pytest.mark.parametrize(("half", "name"), NETWORKS)
def test_schema_has_the_defaults_of_the_class(half: str, name: str) -> None:
    fields = domains.choices(half).networks[name].model_fields
    for key, parameter in constructor(half, name).items():
        default = PydanticUndefined if parameter.default is parameter.empty else parameter.default
        assert fields[key].default == default, key
        assert type(fields[key].default) is type(default), key


@pytest.mark.parametrize(("half", "name"), NETWORKS)
def test_defaults_of_a_network_are_valid_params(half: str, name: str) -> None:
    form = domains.choices(half).networks[name]
    given = {key: field.default for key, field in form.model_fields.items() if not field.is_required()}
    form.model_validate(given)


@pytest.mark.parametrize("half", domains.HALVES)
def test_one_class_and_one_line_make_a_network_known(half: str, tmp_path: Path) -> None:
    source = PACKAGE / half / "models"
    paths = sorted(source.glob("*.py")) if source.is_dir() else [source.with_suffix(".py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    new = "\n\nclass Tiny:\n    def __init__(self, data, *, width: PositiveInt = 3) -> None:\n        pass\n"
    text, lines = re.subn(r"^(MODELS\b[^=]*= \{)", r'\1"tiny": Tiny, ', text + new, flags=re.MULTILINE)
    assert lines == 1
    (tmp_path / "models.py").write_text(text, encoding="utf-8")
    known = network_schemas(tmp_path / "models.py")
    assert set(known) == {"tiny", *domains.choices(half).networks}
    assert known["tiny"]().model_dump() == {"width": 3}


@pytest.mark.parametrize("name", ["heir", "grandchild"])
def test_class_without_a_constructor_takes_the_inherited_options(made: dict[str, Any], name: str) -> None:
    assert list(made[name].model_fields) == ["size", "dropout", "kind"]


def test_constructor_of_its_own_hides_the_inherited_options(made: dict[str, Any]) -> None:
    assert made["other"]().model_dump() == {"sizes": [1, 2], "limit": None}


def test_constructor_that_hands_options_on_takes_the_inherited_ones_too(made: dict[str, Any]) -> None:
    assert made["more"](size=7).model_dump() == {"size": 7, "dropout": 0.1, "kind": "a", "depth": 2}
    assert made["most"](size=7, depth=4).model_dump() == {
        "size": 7,
        "dropout": 0.1,
        "kind": "a",
        "depth": 4,
        "height": 3,
    }
    with pytest.raises(ValidationError, match="options"):
        made["more"].model_validate({"size": 7, "options": {}})


def test_option_without_a_default_is_required(made: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"size\s+Field required"):
        made["base"].model_validate({})


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("base", {"size": 0}),
        ("base", {"size": 1.0}),
        ("base", {"size": True}),
        ("base", {"size": 1, "dropout": 1.0}),
        ("base", {"size": 1, "kind": "c"}),
        ("base", {"size": 1, "shape": [1]}),
        ("other", {"sizes": []}),
        ("other", {"sizes": [0]}),
        ("other", {"limit": 0}),
    ],
)
def test_value_that_the_annotation_excludes_is_refused(made: dict[str, Any], name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made[name].model_validate(given)


def test_default_of_one_form_is_not_shared_with_the_next(made: dict[str, Any]) -> None:
    made["other"]().sizes.append(3)
    assert made["other"]().sizes == [1, 2]


def test_package_is_read_like_a_module(tmp_path: Path) -> None:
    base, heirs = MADE.split("class Heir", 1)
    (tmp_path / "base.py").write_text(base, encoding="utf-8")
    (tmp_path / "__init__.py").write_text(f"from base import Base\n\nclass Heir{heirs}", encoding="utf-8")
    assert list(network_schemas(tmp_path)) == ["base", "heir", "grandchild", "other", "more", "most"]


def test_module_without_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("NAMES = {}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="MODELS"):
        network_schemas(tmp_path / "models.py")


# The blocks of a cnn --------------------------------------------------------------------------------------------------

RUN = """
datasets: {pictures: {domain: vision, source: mnist_sample, seed: 1, validation: 5, test: 5, duplicates: keep}}
runs:
  net:
    {domain: vision, dataset: pictures, seed: 1, train: {epochs: 1}, evaluate: {}, attack: {eps: [0.1]}, insight: {},
     model: MODEL}
"""


def read_model(folder: Path, model: dict[str, Any]) -> None:
    path = folder / "params.yaml"
    path.write_text(RUN.replace("MODEL", json.dumps(model)), encoding="utf-8")
    read_params(path)


@pytest.mark.parametrize(
    ("model", "place", "parts"),
    [
        (
            {"name": "cnn", "blocks": [{"filters": 4}, {"filters": 4, "kernel": 3}]},
            "model.blocks.1.kernel",
            [": unknown key; valid keys: activation, batch_norm, dilation, dropout, filters, kernel_size, "],
        ),
        ({"name": "cnn", "blocks": [{"kernel_size": 3}]}, "model.blocks.0.filters", ["Field required"]),
        ({"name": "cnn", "blocks": [{"filters": 0}]}, "model.blocks.0.filters", ["greater than 0", "given: 0"]),
        ({"name": "cnn", "blocks": [{"filters": True}]}, "model.blocks.0.filters", ["integer", "given: True"]),
        (
            {"name": "cnn", "blocks": [{"filters": 4, "padding": "same"}]},
            "model.blocks.0.padding",
            ["'valid', 'zero', 'mirror' or 'repeat'", "given: 'same'"],
        ),
        (
            {"name": "cnn", "blocks": [{"filters": 4, "pooling": "min"}]},
            "model.blocks.0.pooling",
            ["'max', 'average', 'none' or 'stride'"],
        ),
        ({"name": "cnn", "blocks": [{"filters": 4, "activation": "step"}]}, "model.blocks.0.activation", ["'relu'"]),
        ({"name": "cnn", "blocks": [{"filters": 4, "dropout": 1.0}]}, "model.blocks.0.dropout", ["less than 1"]),
        ({"name": "cnn", "blocks": [4]}, "model.blocks.0", ["dictionary", "given: 4"]),
        ({"name": "cnn", "blocks": []}, "model.blocks", ["at least 1"]),
        ({"name": "cnn", "hidden": [0]}, "model.hidden.0", ["greater than 0"]),
        ({"name": "mlp", "hidden": []}, "model.hidden", ["at least 1"]),
        ({"name": "linear", "hidden": [3]}, "model.hidden", ["unknown key"]),
        ({"name": "lenet5", "activation": "gelu"}, "model.activation", ["'tanh' or 'relu'"]),
        ({"name": "alexnet", "form": "large"}, "model.form", ["'imagenet' or 'small'"]),
        ({"name": "resnet", "convolutions": 3}, "model.convolutions", ["1 or 2"]),
    ],
)
def test_wrong_option_is_refused_by_its_path(
    tmp_path: Path, model: dict[str, Any], place: str, parts: list[str]
) -> None:
    with pytest.raises(ValueError) as caught:
        read_model(tmp_path, model)
    (line,) = str(caught.value).splitlines()
    assert f"runs.net.{place}: " in line
    assert all(part in line for part in parts), line


@pytest.mark.parametrize(
    "model",
    [
        {"name": "cnn", "hidden": []},
        {"name": "cnn", "blocks": [Block(filters=3).model_dump()]},
        {"name": "cnn", "blocks": [{"filters": 3, "padding": "mirror", "pooling": "stride", "activation": "gelu"}]},
        {"name": "linear"},
        {"name": "lenet5", "subsampling": "average"},
        {"name": "alexnet", "width": 0.5},
        {"name": "resnet", "blocks": 0},
    ],
)
def test_right_options_are_taken(tmp_path: Path, model: dict[str, Any]) -> None:
    read_model(tmp_path, model)


def test_wrong_block_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(RUN.replace("MODEL", "{name: cnn, blocks: [{filter: 3}]}"), encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from cvnlp import domain\n"
        "try: read_params(Path('params.yaml'))\n"
        "except ValueError as error: print('torch' in sys.modules, error)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("False params.yaml: runs.net.model.blocks.0.filter")


# The dropout of a recurrent network -----------------------------------------------------------------------------------

TEXT_RUN = """
datasets:
  plays:
    {domain: language, source: shakespeare, seed: 1, tokens: characters, lowercase: false, vocabulary_size: null,
     minimum_count: 1, validation: 0.1, test: 0.1, duplicates: keep}
runs:
  net:
    {domain: language, dataset: plays, seed: 1, train: {epochs: 1}, evaluate: {}, attack: {shares: [0.1]}, insight: {},
     model: MODEL}
"""
RECURRENT = ("rnn", "gru", "lstm")


def read_recurrent(folder: Path, name: str, **options: Any) -> None:
    path = folder / "params.yaml"
    path.write_text(TEXT_RUN.replace("MODEL", json.dumps({"name": name, **options})), encoding="utf-8")
    read_params(path)


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("dropout", [0, 0.5, {}, {"input": 0.1}, {"between": 0, "output": 0.2, "weight": 0.5}])
def test_dropout_is_a_number_or_a_table_of_places(tmp_path: Path, name: str, dropout: Any) -> None:
    read_recurrent(tmp_path, name, dropout=dropout)


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize(
    ("dropout", "place", "parts"),
    [
        (1.0, "", ["a share from 0 to below 1, or a table of input, between, output, embedding, weight", "given: 1.0"]),
        (-0.1, "", ["a share from 0 to below 1"]),
        (True, "", ["a share from 0 to below 1"]),
        ("half", "", ["a share from 0 to below 1", "given: 'half'"]),
        ({"inputs": 0.1}, ".inputs", ["unknown key; valid keys: between, embedding, input, output, weight"]),
        ({"output": 1.0}, ".output", ["less than 1", "given: 1.0"]),
        ({"weight": None}, ".weight", ["valid number"]),
    ],
)
def test_wrong_dropout_is_refused_by_its_path(
    tmp_path: Path, name: str, dropout: Any, place: str, parts: list[str]
) -> None:
    with pytest.raises(ValueError) as caught:
        read_recurrent(tmp_path, name, dropout=dropout)
    (line,) = str(caught.value).splitlines()
    assert f"runs.net.model.dropout{place}: " in line
    assert all(part in line for part in parts), line
