"""Reading the file: YAML, frozen objects, several mistakes at once, and picking a block."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cloning import ROOT
from cvnlp.params import check_own_paths, pick, read_params
from params_file import GOOD, changed, read, refusal, write


def test_file_without_a_block_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, {"datasets": {}, "runs": {}}).runs == {}


@pytest.mark.parametrize(
    ("change", "block"),
    [
        ("seed", lambda params: params.runs["first"]),
        ("epochs", lambda params: params.runs["first"].train),
        ("name", lambda params: params.runs["first"].train.optimiser),
        ("validation", lambda params: params.datasets["pictures"]),
        ("runs", lambda params: params),
    ],
)
def test_what_is_read_is_frozen(tmp_path: Path, change: str, block: Any) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(block(read(tmp_path, GOOD)), change, None)


@pytest.mark.parametrize(("written", "value"), [("1e-3", 0.001), ("1E2", 100.0), ("2", 2.0), ("0.5", 0.5)])
def test_number_is_read_as_dvc_reads_it(tmp_path: Path, written: str, value: float) -> None:
    text = write(tmp_path, changed({"runs.first.train.lr": "LR"})).read_text(encoding="utf-8")
    params = read(tmp_path, text.replace("LR", written))
    assert params.runs["first"].train.lr == value
    assert isinstance(params.runs["first"].train.lr, float)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("runs: [", "not valid YAML", id="open bracket"),
        pytest.param("runs: {}\nruns: {}\n", 'duplicate key "runs"', id="key given twice"),
        pytest.param("runs: !!python/object:os.system {}\n", "not valid YAML", id="object of a program"),
        pytest.param(b"\xff\xfe\x00", "params.yaml", id="no text"),
        pytest.param("", "dictionary", id="empty"),
        pytest.param("[1, 2]", "dictionary", id="list"),
    ],
)
def test_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, content: Any, said: str) -> None:
    message = refusal(tmp_path, content)
    assert said in message
    assert "\n" not in message
    assert ": :" not in message


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.yaml: no such file"):
        read_params(tmp_path / "absent.yaml")


def test_mistakes_in_several_blocks_are_all_listed(tmp_path: Path) -> None:
    changes = {"runs.first.train.epochs": -1, "runs.second.attack.shares": [2.0], "datasets.pictures.test": 1.5}
    lines = refusal(tmp_path, changed(changes)).splitlines()
    keys = {line.removeprefix(f"{tmp_path / 'params.yaml'}: ").split(":")[0] for line in lines}
    assert keys == {"runs.first.train.epochs", "runs.second.attack.shares.0", "datasets.pictures.test"}


def test_mistakes_in_one_block_are_all_listed(tmp_path: Path) -> None:
    changes = {"runs.first.train.epoch": 1, "runs.first.train.learning_rate": 1, "runs.first.train.lr": "fast"}
    message = refusal(tmp_path, changed(changes))
    assert [key for key in changes if key not in message] == []


@pytest.mark.parametrize(
    ("block", "right"), [("runs.second", "language"), ("runs.first", "vision"), ("datasets.pictures", "vision")]
)
def test_wrong_domain_of_a_block_is_one_mistake(tmp_path: Path, block: str, right: str) -> None:
    wrong = {"vision": "language", "language": "vision"}[right]
    first, *others = refusal(tmp_path, changed({f"{block}.domain": wrong})).splitlines()
    assert f"{block}.domain: '{wrong}' does not fit the other keys of the block, which are those of '{right}'" in first
    assert others == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("runs.second.attack.shares", 0.2, "must be a list of numbers from 0 to 1, such as [0.2] (given: 0.2)"),
        ("datasets.pictures.canvases", {"count": 2, "size": 64, "pictures": 1, "background": 0.1}, "such as [64]"),
        ("runs.first.model", {"name": "cnn", "blocks": 3}, "must be a list of blocks, such as [{...}] (given: 3)"),
    ],
)
def test_value_that_is_no_list_is_refused_with_the_form(tmp_path: Path, key: str, value: Any, message: str) -> None:
    assert message in refusal(tmp_path, changed({key: value}))


def test_own_file_whose_name_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    Path(os.fsdecode(bytes(tmp_path / "texts") + b"/a\xff.txt")).write_text("text", encoding="utf-8")
    own = {"domain": "language", "path": "texts", "seed": 1, "tokens": "words", "validation": 0.1, "test": 0.1}
    params = read(tmp_path, GOOD | {"own": {"mine": own}})
    with pytest.raises(ValueError, match=r"own\.mine\.path: 'texts': the name of .*/texts/a\\xff\.txt is not UTF-8"):
        check_own_paths(tmp_path / "params.yaml", params)


def test_unknown_names_are_all_listed(tmp_path: Path) -> None:
    changes = {"runs.first.dataset": "gone", "runs.second.dataset": "gone", "datasets.words.source": "gone"}
    message = refusal(tmp_path, changed(changes))
    assert [key for key in changes if key not in message] == []


def test_long_value_is_cut_in_a_message(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed({"runs.first.train.epochs": "x" * 500}))
    assert len(message) < 250 + len(str(tmp_path))


def test_run_is_picked_by_name(tmp_path: Path) -> None:
    params = read(tmp_path, GOOD)
    assert pick(tmp_path / "params.yaml", "runs", params.runs, "second") is params.runs["second"]


def test_picking_an_unknown_run_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: runs: 'third' is unknown; valid choices: first, second"):
        pick(tmp_path / "params.yaml", "runs", read(tmp_path, GOOD).runs, "third")


def test_params_of_this_project_are_read() -> None:
    params = read_params(ROOT / "params.yaml")
    assert {run.dataset for run in params.runs.values()} <= params.datasets.keys()
