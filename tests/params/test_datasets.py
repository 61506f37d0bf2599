"""The blocks of `datasets` and `own`."""

from pathlib import Path
from typing import Any

import pytest

from params_file import CANVASES, GOOD, REMOVED, changed, check_refusal, read

REFUSED = [
    pytest.param({"datasets.pictures.sede": 1}, ["datasets.pictures.sede: unknown key", "seed"], id="in a data set"),
    pytest.param({"datasets.letters.test": "othello"}, ["datasets.letters.test", "list", "'othello'"], id="text, list"),
    pytest.param({"datasets.pictures.test": 0}, ["datasets.pictures.test", "above 0", "given: 0"], id="no test"),
    pytest.param({"datasets.letters.test": []}, ["datasets.letters.test", "names", "[]"], id="no test play"),
    pytest.param({"datasets.pictures.seed": -1}, ["datasets.pictures.seed", "-1"], id="negative seed of a data set"),
    pytest.param(
        {"datasets.pictures.source": "digit"},
        ["datasets.pictures.source", "'digit'", "cifar10", "fashion_mnist"],
        id="unknown source",
    ),
    pytest.param(
        {"datasets.pictures.source": "shakespeare"},
        ["datasets.pictures.source", "'shakespeare'", "cifar10", "fashion_mnist"],
        id="source of the other half",
    ),
    pytest.param(
        {"datasets.words.domain": "audio"},
        ["datasets.words.domain", "language, vision", "'audio' is unknown"],
        id="unknown domain of a data set",
    ),
    pytest.param(
        {"datasets.letters.tokens": "bytes"},
        ["datasets.letters.tokens", "'characters'", "'words'", "given: 'bytes'"],
        id="unknown tokens",
    ),
    pytest.param({"datasets.": GOOD["datasets"]["words"]}, ["datasets.", "''"], id="empty data set name"),
    pytest.param(
        {"datasets.letters.test": ["othello", "hamlet"]},
        ["datasets.letters", "validation and test", "hamlet"],
        id="play in validation and test",
    ),
    pytest.param(
        {"datasets.letters.test": ["othello", "othello"]}, ["datasets.letters", "test", "othello"], id="play twice"
    ),
    pytest.param(
        {"datasets.pictures.test": REMOVED},
        ["datasets.pictures.test", "mnist_sample has no test split"],
        id="missing split",
    ),
    pytest.param(
        {"datasets.pictures.source": "mnist"},
        ["datasets.pictures.test", "mnist has its own test split", "given: 10"],
        id="split that the source has",
    ),
    pytest.param({"own.pictures": GOOD["own"]["album"]}, ["own.pictures", "datasets"], id="name in both tables"),
    pytest.param({"own.album.path": REMOVED}, ["own.album.path: missing key"], id="no path"),
    pytest.param({"own.album.path": "~/pictures"}, ["own.album.path", "~", "'~/pictures'"], id="path with a tilde"),
    pytest.param({"own.album.path": "a\nb"}, ["own.album.path", "path"], id="path with a line break"),
    pytest.param({"own.album.path": ""}, ["own.album.path", "path"], id="empty path"),
    pytest.param(
        {"own.album.source": "mnist_sample"}, ["own.album.source: unknown key", "path"], id="source of own files"
    ),
    pytest.param(
        {"datasets.pictures.path": "x"}, ["datasets.pictures.path: unknown key", "source"], id="path of a source"
    ),
    pytest.param({"own.album.size": 32}, ["own.album.size", "list", "32"], id="size as a number"),
    pytest.param({"own.album.size": [32]}, ["own.album.size", "at least 2", "[32]"], id="size with one number"),
    pytest.param({"own.album.size": [0, 32]}, ["own.album.size.0", "above 0"], id="size 0"),
    pytest.param({"own.album.fit": "squeeze"}, ["own.album.fit", "'crop'", "'pad'", "'stretch'"], id="unknown fit"),
    pytest.param({"own.album.colour": "cmyk"}, ["own.album.colour", "'grey'", "'rgb'"], id="unknown colour"),
    pytest.param({"own.album.duplicates": True}, ["own.album.duplicates", "'keep'", "'drop'"], id="unknown duplicates"),
    pytest.param({"own.album.max_skipped": 1.0}, ["own.album.max_skipped", "below 1"], id="all skipped"),
    pytest.param({"own.album.test": 1.5}, ["own.album.test", "fraction", "1.5"], id="fraction above 1"),
    pytest.param({"own.album.test": "half"}, ["own.album.test", "fraction", "'half'"], id="fraction in letters"),
    pytest.param({"own.diary.test": 3}, ["own.diary.test", "documents", "3"], id="number of documents"),
    pytest.param({"own.diary.encoding": "utf-9"}, ["own.diary.encoding", "utf-8", "'utf-9'"], id="unknown encoding"),
    pytest.param({"own.diary.minimum_count": 0}, ["own.diary.minimum_count", "above 0"], id="minimum count 0"),
    pytest.param(
        {"datasets.pictures.canvases": CANVASES | {"backgrounds": 1}},
        ["datasets.pictures.canvases.backgrounds: unknown key", "background, count, pictures, size"],
        id="unknown key of canvases",
    ),
    pytest.param(
        {"datasets.pictures.canvases": CANVASES | {"background": 1.0}},
        ["datasets.pictures.canvases.background", "below 1", "1.0"],
        id="background 1",
    ),
    pytest.param(
        {"own.album.canvases": CANVASES | {"size": [64]}},
        ["own.album.canvases.size", "at least 2 items", "[64]"],
        id="canvas size with one number",
    ),
    pytest.param(
        {"datasets.letters.canvases": CANVASES}, ["datasets.letters.canvases: unknown key"], id="canvases of text"
    ),
]


@pytest.mark.parametrize(("changes", "parts"), REFUSED)
def test_mistake_is_refused_with_key_value_and_choices(
    tmp_path: Path, changes: dict[str, Any], parts: list[str]
) -> None:
    check_refusal(tmp_path, changes, parts)


def test_canvases_are_read(tmp_path: Path) -> None:
    params = read(tmp_path, changed({"datasets.pictures.canvases": CANVASES}))
    assert params.datasets["pictures"].canvases.model_dump() == CANVASES


def test_own_files_are_read_with_the_defaults(tmp_path: Path) -> None:
    own = read(tmp_path, GOOD).own
    assert own["album"].model_dump() == {
        "domain": "vision",
        "path": "my pictures",
        "seed": 1,
        "size": [32, 24],
        "fit": "crop",
        "colour": "rgb",
        "background": "black",
        "validation": 0.1,
        "test": 5,
        "canvases": None,
        "duplicates": "keep",
        "max_skipped": 0.01,
    }
    assert own["diary"].encoding is None
    assert own["diary"].validation is None  # whether the files bring it is known when they are read


def test_run_may_use_own_files(tmp_path: Path) -> None:
    assert read(tmp_path, changed({"runs.first.dataset": "album"})).runs["first"].dataset == "album"
    assert sorted(read(tmp_path, GOOD).all_datasets) == ["album", "diary", "letters", "pictures", "words"]


def test_source_that_brings_its_splits_is_read_without_them(tmp_path: Path) -> None:
    split = {"domain": "language", "source": "ptb", "seed": 1, "tokens": "whitespace"}
    assert read(tmp_path, changed({"datasets.trees": split})).datasets["trees"].test is None
