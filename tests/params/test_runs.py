"""The blocks of `runs`: names, seeds, evaluation, attacks, analysis; and the top of the file."""

from pathlib import Path
from typing import Any

import pytest

from cvnlp.params import read_params
from params_file import GOOD, REMOVED, check_refusal, read, write

REFUSED = [
    pytest.param(
        {"runs.second.evaluate.dynamic": {"lr": 0.1}},
        ["runs.second.evaluate.dynamic.lr", "list", "0.1"],
        id="step size that is not a list",
    ),
    pytest.param(
        {"runs.second.evaluate.dynamic": {"lr": [-0.1]}},
        ["runs.second.evaluate.dynamic.lr.0", "at least 0", "-0.1"],
        id="negative step size",
    ),
    pytest.param(
        {"runs.second.evaluate.cache": {"share": [0.1, 1.0]}},
        ["runs.second.evaluate.cache.share.1", "below 1", "1.0"],
        id="cache with all of the probability",
    ),
    pytest.param(
        {"runs.second.evaluate.cache": {"size": 0}},
        ["runs.second.evaluate.cache.size", "above 0", "0"],
        id="cache of size 0",
    ),
    pytest.param(
        {"runs.second.evaluate.cache": {"theta": 1}},
        ["runs.second.evaluate.cache.theta: unknown key", "share", "sharpness", "size"],
        id="unknown key of the cache",
    ),
    pytest.param(
        {"runs.first.evaluate.cache": {}}, ["runs.first.evaluate.cache: unknown key"], id="cache of an image classifier"
    ),
    pytest.param({"runs.first.seeds": [2, 3]}, ["runs.first", "own seed, 1", "[2, 3]"], id="seeds without the own one"),
    pytest.param({"runs.first.seeds": [1, 2, 2]}, ["runs.first.seeds", "2 more than once"], id="the same seed twice"),
    pytest.param({"runs.first.seeds": 3}, ["runs.first.seeds", "a list of integers", "[3]"], id="a number of seeds"),
    pytest.param({"runs.first.seeds": [1, -2]}, ["runs.first.seeds.1", "from 0", "-2"], id="a negative seed"),
    pytest.param(
        {"runs.first.seeds": [1, 2], "runs.first.train.epochs": 0},
        ["runs.first", "without training", "every seed has the same score"],
        id="seeds of a run without training",
    ),
    pytest.param({"extra": 1}, ["extra: unknown key", "datasets", "runs"], id="unknown key at the top"),
    pytest.param({"runs.first.atack": {}}, ["runs.first.atack: unknown key", "attack", "evaluate"], id="in a run"),
    pytest.param({"runs.first.seed": "one"}, ["runs.first.seed", "integer", "'one'"], id="text, seed"),
    pytest.param({"runs.first.attack.eps": 0.1}, ["runs.first.attack.eps", "list", "0.1"], id="number, list"),
    pytest.param({"runs.first": 3}, ["runs.first", "dictionary", "3"], id="number, run"),
    pytest.param({"runs": None}, ["runs", "dictionary", "None"], id="null, runs"),
    pytest.param(
        {"runs.first.attack.eps": [0.1, 1.5]},
        ["runs.first.attack: eps: 1.5", "full range of a pixel, 1"],
        id="eps over 1",
    ),
    pytest.param({"runs.first.attack.eps": [-0.1]}, ["runs.first.attack.eps.0", "0", "-0.1"], id="eps below 0"),
    pytest.param({"runs.first.attack.eps": []}, ["runs.first.attack.eps", "at least 1", "[]"], id="no eps"),
    pytest.param({"runs.first.seed": -1}, ["runs.first.seed", "-1"], id="negative seed of a run"),
    pytest.param({"runs.first.seed": 2**32}, ["runs.first.seed", str(2**32)], id="seed beyond 32 bits"),
    pytest.param({"runs": REMOVED}, ["runs: missing key"], id="no runs"),
    pytest.param({"runs.first.dataset": REMOVED}, ["runs.first.dataset: missing key"], id="no data set"),
    pytest.param({"runs.first.attack.eps": REMOVED}, ["runs.first.attack.eps: missing key"], id="no eps at all"),
    pytest.param({"runs.first.domain": REMOVED}, ["runs.first.domain", "language, vision"], id="no domain"),
    pytest.param(
        {"runs.first.dataset": "picture"},
        ["runs.first.dataset", "'picture'", "album, diary, letters, pictures, words"],
        id="unknown data set",
    ),
    pytest.param(
        {"runs.first.domain": "audio"},
        ["runs.first.domain", "language, vision", "'audio' is unknown"],
        id="unknown domain of a run",
    ),
    pytest.param({"runs.a/b": GOOD["runs"]["first"]}, ["runs.a/b", "'a/b'"], id="run name with a slash"),
    pytest.param(
        {"runs.a-b": GOOD["runs"]["first"]}, ["runs.a-b", "letters", "digits", "'a-b'"], id="run name with a hyphen"
    ),
    pytest.param(
        {"runs.first.attack.eps": [0.1, 0.2, 0.1]},
        ["runs.first.attack.eps", "must not contain 0.1 more than once"],
        id="eps given twice",
    ),
    pytest.param(
        {"runs.second.attack.shares": [0.0, 0.0]},
        ["runs.second.attack.shares", "must not contain 0 more than once"],
        id="share given twice",
    ),
    pytest.param(
        {"runs.second.insight.temperatures": [1.0, 1]},
        ["runs.second.insight.temperatures", "must not contain 1 more than once"],
        id="temperature given twice",
    ),
    pytest.param(
        {"runs.first.insight.equivariance_shifts": [2, 2]},
        ["runs.first.insight.equivariance_shifts", "must not contain 2 more than once"],
        id="shift given twice",
    ),
    pytest.param(
        {"runs.second.evaluate.cache": {"sharpness": [0.1, 0.1]}},
        ["runs.second.evaluate.cache.sharpness", "must not contain 0.1 more than once"],
        id="sharpness given twice",
    ),
    pytest.param(
        {"runs.first.dataset": 2024},
        ["runs.first.dataset", "the number 2024", "quotation marks"],
        id="number, data set",
    ),
    pytest.param(
        {"runs.first.dataset": "letters"},
        ["runs.first.domain", "'vision'", "'letters'", "'language'"],
        id="domain of run and data set",
    ),
    pytest.param({"runs.first.dataset": "diary"}, ["runs.first.domain", "'diary'", "'language'"], id="own, other half"),
    pytest.param(
        {"runs.first.insight.detection_threshold": 1.5},
        ["runs.first.insight.detection_threshold", "from 0 to 1", "1.5"],
        id="detection_threshold 1.5",
    ),
]


@pytest.mark.parametrize(("changes", "parts"), REFUSED)
def test_mistake_is_refused_with_key_value_and_choices(
    tmp_path: Path, changes: dict[str, Any], parts: list[str]
) -> None:
    check_refusal(tmp_path, changes, parts)


@pytest.mark.parametrize("table", ["runs", "datasets", "own"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("2024", "the number 2024"),
        ("1e3", "the number 1000.0"),
        ("0x1F", "the number 31"),
        ("true", "the boolean true"),
        ("null", "null"),
        ("~", "null"),
        ("2024-01-01", "a date"),
    ],
)
def test_name_that_yaml_does_not_read_as_text_is_refused(tmp_path: Path, table: str, name: str, kind: str) -> None:
    path = write(tmp_path, GOOD)
    old = {"runs": "first", "datasets": "words", "own": "album"}[table]
    text = path.read_text().replace(f"  {old}:", f"  {name}:")
    path.write_text(text)
    with pytest.raises(ValueError, match="quotation marks") as caught:
        read_params(path)
    assert str(caught.value) == (
        f"{path}: {table}: a name in it is {kind} for YAML, and no text; put it in quotation marks"
    )


@pytest.mark.parametrize("name", ["'2024'", '"1e3"', "'true'", "'null'", "yes", "off"])
def test_name_in_quotation_marks_is_text(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GOOD)
    path.write_text(path.read_text().replace("  first:", f"  {name}:"))
    assert name.strip("'\"") in read_params(path).runs


def test_smallest_file_is_read_with_the_defaults(tmp_path: Path) -> None:
    params = read(tmp_path, GOOD)
    assert params.runs["first"].train.batch_size == 128
    assert params.runs["first"].train.optimiser.schedule == "cosine"
    assert params.runs["second"].evaluate.samples == 2
    assert params.runs["second"].evaluate.dynamic is params.runs["second"].evaluate.cache is None
    assert params.datasets["letters"].vocabulary_size is None
