"""The block `model` of a run: the options of every network, and the errors of wrong ones."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from cvnlp import domains
from cvnlp.params.language_networks import LanguageNetwork, LstmOptions
from cvnlp.params.vision_networks import Block, CnnOptions, VisionNetwork
from params_file import REMOVED, changed, check_refusal, read, write

UNIONS = {"vision": get_args(get_args(VisionNetwork)[0]), "language": get_args(get_args(LanguageNetwork)[0])}
OPTIONS: list[type[BaseModel]] = [options for union in UNIONS.values() for options in union]
RECURRENT = ("rnn", "gru", "lstm")


@pytest.mark.parametrize("half", domains.HALVES)
def test_options_and_models_have_the_same_names(half: str) -> None:
    names = [options.model_fields["name"].default for options in UNIONS[half]]
    assert sorted(names) == sorted(domains.DOMAINS[half].models.MODELS)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.__name__)
def test_the_name_is_the_only_one_that_the_options_accept(options: type[BaseModel]) -> None:
    assert get_args(options.model_fields["name"].annotation) == (options.model_fields["name"].default,)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.__name__)
def test_defaults_are_valid_params(options: type[BaseModel]) -> None:
    assert options.model_validate(options().model_dump()) == options()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.__name__)
def test_no_network_has_the_name_of_an_option(options: type[BaseModel]) -> None:
    """An error's path leaves out the names of networks, and must not leave out a key."""
    assert not {name.model_fields["name"].default for name in OPTIONS} & options.model_fields.keys()


def test_options_do_not_share_their_default_lists() -> None:
    CnnOptions().hidden.append(3)
    assert CnnOptions().hidden == [64]


def test_an_unknown_option_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    path = write(tmp_path, changed({"runs.first.model": {"name": "cnn", "blocks": [{"filter": 3}]}}))
    program = (
        "import sys; from pathlib import Path; from cvnlp.params import read_params\n"
        f"try: read_params(Path({str(path)!r}))\n"
        "except ValueError as error: print('torch' in sys.modules, error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"False {path}: runs.first.model.blocks.0.filters: missing key\n")


# Image classifiers ----------------------------------------------------------------------------------------------------

FEW, MANY = "alexnet, cnn, lenet5, linear, mlp, neocognitron, resnet, rules", "gru, lstm, ngram, rnn"
REFUSED = [
    pytest.param({"runs.first.model": "mlp"}, ["model", "dictionary", "'mlp'"], id="not a table"),
    pytest.param({"runs.first.model": {"nam": "mlp"}}, ["model.name: missing key", FEW], id="misspelled name"),
    pytest.param({"runs.first.model.name": REMOVED}, ["model.name: missing key; valid choices", FEW], id="no name"),
    pytest.param({"runs.first.model.name": "mpl"}, ["model.name: 'mpl' is unknown", FEW], id="unknown name"),
    pytest.param({"runs.first.model.name": "lstm"}, ["model.name: 'lstm' is unknown", FEW], id="of the other half"),
    pytest.param({"runs.second.model.name": "mlp"}, ["model.name: 'mlp' is unknown", MANY], id="of the first half"),
    pytest.param({"runs.first.model.name": ["mlp"]}, ["model.name", "['mlp']"], id="list of names"),
]


@pytest.mark.parametrize(("changes", "parts"), REFUSED)
def test_a_network_that_does_not_exist_is_refused_with_the_choices(
    tmp_path: Path, changes: dict[str, Any], parts: list[str]
) -> None:
    check_refusal(tmp_path, changes, parts)


BLOCK_KEYS = "activation, batch_norm, dilation, dropout, filters, kernel_size, padding, pool, pooling, stride"


@pytest.mark.parametrize(
    ("model", "place", "parts"),
    [
        (
            {"name": "cnn", "blocks": [{"filters": 4}, {"filters": 4, "kernel": 3}]},
            "blocks.1.kernel",
            [f"unknown key; valid keys: {BLOCK_KEYS}"],
        ),
        ({"name": "cnn", "blocks": [{"kernel_size": 3}]}, "blocks.0.filters", ["missing key"]),
        ({"name": "cnn", "blocks": [{"filters": 0}]}, "blocks.0.filters", ["above 0", "given: 0"]),
        ({"name": "cnn", "blocks": [{"filters": True}]}, "blocks.0.filters", ["integer", "given: True"]),
        (
            {"name": "cnn", "blocks": [{"filters": 4, "padding": "same"}]},
            "blocks.0.padding",
            ["'valid', 'zero', 'reflect' or 'replicate'", "given: 'same'"],
        ),
        (
            {"name": "cnn", "blocks": [{"filters": 4, "pooling": "min"}]},
            "blocks.0.pooling",
            ["'max', 'average', 'none' or 'stride'"],
        ),
        ({"name": "cnn", "blocks": [{"filters": 4, "activation": "step"}]}, "blocks.0.activation", ["'relu'"]),
        ({"name": "cnn", "blocks": [{"filters": 4, "dropout": 1.0}]}, "blocks.0.dropout", ["from 0 to below 1"]),
        ({"name": "cnn", "blocks": [4]}, "blocks.0", ["dictionary", "given: 4"]),
        ({"name": "cnn", "blocks": []}, "blocks", ["at least 1"]),
        ({"name": "cnn", "hidden": [0]}, "hidden.0", ["above 0"]),
        ({"name": "mlp", "hidden": []}, "hidden", ["at least 1"]),
        ({"name": "mlp", "hiden": [3]}, "hiden", ["unknown key; valid keys: dropout, hidden, name"]),
        ({"name": "linear", "hidden": [3]}, "hidden", ["unknown key"]),
        ({"name": "lenet5", "activation": "gelu"}, "activation", ["'tanh' or 'relu'"]),
        ({"name": "alexnet", "form": "large"}, "form", ["'imagenet' or 'small'"]),
        ({"name": "resnet", "convolutions": 3}, "convolutions", ["1 or 2"]),
        ({"name": "neocognitron", "blur": 4}, "blur", ["must be odd", "given: 4"]),
    ],
)
def test_wrong_option_of_a_classifier_is_refused_by_its_path(
    tmp_path: Path, model: dict[str, Any], place: str, parts: list[str]
) -> None:
    check_refusal(tmp_path, {"runs.first.model": model}, [f"runs.first.model.{place}: ", *parts])


@pytest.mark.parametrize(
    "model",
    [
        {"name": "cnn", "hidden": []},
        {"name": "cnn", "blocks": [Block(filters=3).model_dump()]},
        {"name": "cnn", "blocks": [{"filters": 3, "padding": "reflect", "pooling": "stride", "activation": "gelu"}]},
        {"name": "linear"},
        {"name": "lenet5", "subsampling": "average"},
        {"name": "alexnet", "width": 0.5},
        {"name": "resnet", "blocks": 0},
    ],
)
def test_options_of_a_classifier_are_read(tmp_path: Path, model: dict[str, Any]) -> None:
    found = read(tmp_path, changed({"runs.first.model": model})).runs["first"].model
    assert found.model_dump(exclude_unset=True) == model


# Language models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("dropout", [0, 0.5, {}, {"input": 0.1}, {"between": 0, "output": 0.2, "weight": 0.5}])
def test_dropout_is_a_rate_or_a_table_of_places(tmp_path: Path, name: str, dropout: Any) -> None:
    model = read(tmp_path, changed({"runs.second.model": {"name": name, "dropout": dropout}})).runs["second"].model
    assert model.model_dump(exclude_unset=True)["dropout"] == dropout


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize(
    ("dropout", "place", "parts"),
    [
        (1.0, "", ["a rate from 0 to below 1, or a table of input, between, output, embedding, weight", "given: 1.0"]),
        (-0.1, "", ["a rate from 0 to below 1"]),
        (True, "", ["a rate from 0 to below 1"]),
        ("half", "", ["a rate from 0 to below 1", "given: 'half'"]),
        ({"inputs": 0.1}, ".inputs", ["unknown key; valid keys: between, embedding, input, output, weight"]),
        ({"output": 1.0}, ".output", ["below 1", "given: 1.0"]),
        ({"weight": None}, ".weight", ["valid number"]),
    ],
)
def test_wrong_dropout_is_refused_by_its_path(
    tmp_path: Path, name: str, dropout: Any, place: str, parts: list[str]
) -> None:
    changes = {"runs.second.model": {"name": name, "dropout": dropout}}
    check_refusal(tmp_path, changes, [f"runs.second.model.dropout{place}: ", *parts])


SIZES = {"embedding_size": 8, "hidden_size": 8}


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"output_precision": "bf16"}, ["output_precision: bf16 belongs to output: chunked, not to plain"]),
        ({"output_precision": "bf16", "output": "adaptive"}, ["output_precision", "chunked, not to adaptive"]),
        (
            {"output": "chunked", "cutoffs": [3]},
            ["cutoffs: [3] belongs to output: grouped or adaptive, not to chunked"],
        ),
        ({"output": "grouped", "cutoffs": [9, 5]}, ["cutoffs: [9, 5] must be in ascending order"]),
        ({"output": "adaptive", "cutoffs": [5, 5]}, ["cutoffs: [5, 5] must be in ascending order"]),
        (SIZES | {"tied": True, "hidden_size": 9}, ["tied: needs embedding_size (8) = hidden_size (9)"]),
        (SIZES | {"tied": True, "last_size": 9}, ["tied: needs embedding_size (8) = hidden_size (9)"]),
        (SIZES | {"tied": True, "output": "adaptive"}, ["tied: adaptive", "take output plain, chunked or grouped"]),
        ({"output": "adaptive", "output_bias": "zero"}, ["output_bias: zero needs a bias of every token", "plain"]),
    ],
)
def test_contradicting_options_of_a_recurrent_network_are_refused(
    tmp_path: Path, name: str, options: dict[str, Any], parts: list[str]
) -> None:
    check_refusal(tmp_path, {"runs.second.model": {"name": name, **options}}, ["runs.second.model: ", *parts])


@pytest.mark.parametrize(
    ("options", "place", "parts"),
    [
        ({"hidden_size": 2.5}, "hidden_size", ["integer", "2.5"]),
        ({"hiden": 3}, "hiden", ["unknown key; valid keys: cutoffs, dropout, embedding_range", "hidden_size"]),
        ({"layers": 0}, "layers", ["above 0", "given: 0"]),
        ({"cutoffs": []}, "cutoffs", ["at least 1"]),
    ],
)
def test_wrong_option_of_a_language_model_is_refused_by_its_path(
    tmp_path: Path, options: dict[str, Any], place: str, parts: list[str]
) -> None:
    changes = {"runs.second.model": {"name": "lstm", **options}}
    check_refusal(tmp_path, changes, [f"runs.second.model.{place}: ", *parts])


def test_sizes_are_those_of_the_embedding_and_of_every_layer() -> None:
    assert LstmOptions(embedding_size=3, hidden_size=5, layers=3, last_size=4).sizes == [3, 5, 5, 4]
    assert LstmOptions(embedding_size=3, hidden_size=5).sizes == [3, 5]
