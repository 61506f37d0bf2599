"""config.json of a saved network: exactly the options that params.yaml gives; damaged ones are refused."""

from pathlib import Path
from typing import Any

import pytest

from cvnlp.params.network_config import ImageFormat, TextFormat, make_config, parse_config
from cvnlp.params.vision_networks import Block, CnnOptions

IMAGES = {"shape": [8, 12, 3], "classes": 10, "mean": [0.3, 0.4, 0.5], "std": [0.2, 0.2, 0.1]}
CONTENTS: list[dict[str, Any]] = [
    {"domain": "vision", "name": "rules", "data": IMAGES, "options": {}},
    {"domain": "vision", "name": "mlp", "data": IMAGES, "options": {"hidden": [256, 128], "dropout": 0.2}},
    {
        "domain": "vision",
        "name": "cnn",
        "data": IMAGES,
        "options": {"blocks": [{"filters": 4}, {"filters": 2, "pool": 3}]},
    },
    {"domain": "language", "name": "ngram", "data": {"vocabulary_size": 7}, "options": {"order": 6}},
    {"domain": "language", "name": "lstm", "data": {"vocabulary_size": 7}, "options": {"dropout": {"input": 0.1}}},
    {"domain": "language", "name": "lstm", "data": {"vocabulary_size": 7}, "options": {"dropout": 0.5, "tied": False}},
]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content["name"])
def test_content_is_that_which_was_parsed(content: dict[str, Any]) -> None:
    assert parse_config(Path("config.json"), content).to_json() == content


def test_defaults_are_left_out_of_the_content() -> None:
    format_ = ImageFormat(shape=(8, 8, 1), classes=2, mean=(0.5,), std=(0.1,))
    config = make_config("vision", format_, CnnOptions(blocks=[Block(filters=3)]))
    assert config.to_json()["options"] == {"blocks": [{"filters": 3}]}
    assert config.options.hidden == [64]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ([], ["not the config of a network"]),
        ({"domain": "vision"}, ["not the config of a network", "options"]),
        (CONTENTS[0] | {"options": None}, ["not the config of a network"]),
        (CONTENTS[0] | {"domain": "audio"}, ["domain: 'audio' is unknown; valid choices: language, vision"]),
        (CONTENTS[0] | {"name": "lstm"}, ["options.name: 'lstm' is unknown; valid choices: alexnet, cnn"]),
        (CONTENTS[0] | {"options": {"size": 3}}, ["options.size: unknown key; valid keys: name, sharpness, softness"]),
        (CONTENTS[0] | {"data": {"vocabulary_size": 3}}, ["data.shape: missing key", "data.vocabulary_size: unknown"]),
        (CONTENTS[0] | {"data": IMAGES | {"shape": [8, 8]}}, ["data.shape.2: missing key"]),
        (CONTENTS[0] | {"data": IMAGES | {"classes": "10"}}, ["data.classes", "integer", "'10'"]),
    ],
)
def test_content_that_is_no_config_is_refused_by_its_path(content: Any, parts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^some/config\.json") as caught:
        parse_config(Path("some/config.json"), content)
    assert [part for part in parts if part not in str(caught.value)] == [], caught.value


def test_formats_are_compared_by_content() -> None:
    assert TextFormat(vocabulary_size=3) == TextFormat(vocabulary_size=3) != TextFormat(vocabulary_size=4)
