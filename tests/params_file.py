"""A valid params.yaml for tests, changed at single keys, and the error of reading it."""

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cvnlp.params import Params, read_params

GOOD = {
    "datasets": {
        "pictures": {"domain": "vision", "source": "mnist_sample", "seed": 1, "validation": 10, "test": 10},
        "letters": {
            "domain": "language",
            "source": "shakespeare",
            "seed": 1,
            "tokens": "characters",
            "validation": ["hamlet"],
            "test": ["othello"],
        },
        "words": {
            "domain": "language",
            "source": "shakespeare",
            "seed": 1,
            "tokens": "words",
            "vocabulary_size": 100,
            "validation": ["hamlet"],
            "test": ["othello"],
        },
    },
    "own": {
        "album": {"domain": "vision", "path": "my pictures", "seed": 1, "size": [32, 24], "validation": 0.1, "test": 5},
        "diary": {"domain": "language", "path": "/home/me/diary.txt", "seed": 1, "tokens": "characters"},
    },
    "runs": {
        "first": {
            "dataset": "pictures",
            "seed": 1,
            "model": {"name": "mlp"},
            "train": {"epochs": 1, "lr": 0.1, "optimiser": {"name": "sgd"}},
            "evaluate": {},
            "attack": {"eps": [0.1]},
            "insight": {},
            "domain": "vision",
        },
        "second": {
            "domain": "language",
            "dataset": "letters",
            "seed": 1,
            "model": {"name": "lstm", "hidden_size": 4},
            "train": {"epochs": 1},
            "evaluate": {},
            "attack": {"shares": [0.1]},
            "insight": {},
        },
    },
}
REMOVED = object()
CANVASES = {"count": 2, "size": [64, 64], "pictures": 3, "background": 0.2}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with the value at each dotted path replaced, added or REMOVED."""
    document = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *steps, last = path.split(".")
        block: Any = document
        for step in steps:
            block = block[step]
        if value is REMOVED:
            del block[last]
        else:
            block[last] = value
    return document


def write(folder: Path, content: Any) -> Path:
    path = folder / "params.yaml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        YAML(typ="safe").dump(content, path)
    return path


def read(folder: Path, content: Any) -> Params:
    return read_params(write(folder, content))


def refusal(folder: Path, content: Any) -> str:
    with pytest.raises(ValueError, match=r"params\.yaml") as caught:
        read(folder, content)
    return str(caught.value)


def check_refusal(folder: Path, changes: dict[str, Any], parts: list[str]) -> None:
    """The error of `changes` is one line that begins with the file and holds all `parts`."""
    message = refusal(folder, changed(changes))
    assert [part for part in parts if part not in message] == [], message
    assert message.startswith(f"{folder / 'params.yaml'}: ")
    assert "\n" not in message
