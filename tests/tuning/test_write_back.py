"""Values in params.yaml: nothing else changes, in whatever style the file is written."""

import difflib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cloning import ROOT
from cvnlp.params.tune import look_up
from cvnlp.tuning.write_back import write_back

FILE = """\
runs:
  # block style
  one:
    model: {name: cnn, blocks: [{filters: 16}, {filters: 32, pool: 2}], hidden: [64, 32]}   # flow, "quoted: {"
    train:
      lr: 0.001      # the rate
      optimiser:
        name: "adamw"   # quoted
        betas: [0.9, 0.999]
      augment: {}
    note: |
      lr: 5
  two: &two {model: {name: mlp}, train: {lr: 0.5, clip: null}}
  three: {<<: *two, train: {lr: 0.25}}
  four:
    model: &shared {name: mlp, dropout: 0.5}
  five:
    model: *shared
    train: {lr: 1}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def changed(path: Path, before: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), path.read_text(encoding="utf-8").splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


CHANGES = [
    ("one", {"train.lr": 0.0025}, ["-      lr: 0.001      # the rate", "+      lr: 0.0025      # the rate"]),
    ("one", {"train.optimiser.name": "sgd"}, ['-        name: "adamw"   # quoted', "+        name: sgd   # quoted"]),
    ("one", {"train.optimiser.betas.1": 0.99}, ["-        betas: [0.9, 0.999]", "+        betas: [0.9, 0.99]"]),
    ("one", {"train.augment.shift": 2.0}, ["-      augment: {}", "+      augment: {shift: 2}"]),
    ("one", {"train.prune.easy": 0.5}, ["+      prune: {easy: 0.5}"]),
    ("one", {"train.optimiser.nesterov": True}, ["+        nesterov: true"]),
    (
        "three",
        {"train.lr": 1e-05},
        ["-  three: {<<: *two, train: {lr: 0.25}}", "+  three: {<<: *two, train: {lr: 1e-05}}"],
    ),
    (
        "five",
        {"train.lr": 2},
        ["-    train: {lr: 1}", "+    train: {lr: 2}"],
    ),
]


@pytest.mark.parametrize(("run", "values", "lines"), CHANGES)
def test_one_line_changes(path: Path, run: str, values: dict[str, Any], lines: list[str]) -> None:
    write_back(path, run, values)
    assert changed(path, FILE) == lines


def test_several_values_of_one_line(path: Path) -> None:
    write_back(path, "one", {"model.blocks.0.filters": 8, "model.blocks.1.pool": 3, "model.hidden": [128, 16]})
    line = "+    model: {name: cnn, blocks: [{filters: 8}, {filters: 32, pool: 3}], hidden: [128, 16]}"
    assert changed(path, FILE)[1] == f'{line}   # flow, "quoted: {{"'


@pytest.mark.parametrize(
    ("run", "key"),
    [("two", "train.lr"), ("four", "model.dropout"), ("five", "model.dropout"), ("three", "model.dropout")],
    ids=["merged into another run", "anchor", "alias", "merged table"],
)
def test_a_value_that_another_run_shares_is_refused(path: Path, run: str, key: str) -> None:
    shared = run != "two"
    if shared:
        with pytest.raises(ValueError, match=rf"runs\.{run} shares settings .* write them by hand: {key}: 0\.125"):
            write_back(path, run, {key: 0.125})
        assert path.read_text(encoding="utf-8") == FILE
    else:
        write_back(path, run, {key: 0.125})  # `three` has a table of its own
        assert len(changed(path, FILE)) == 2


@pytest.mark.parametrize("name", ["params.yaml", "quick/params.yaml"])
def test_every_number_of_the_project_can_be_written(name: str, tmp_path: Path) -> None:
    """The file is read again and compared: whatever is written is the only change."""
    before = (ROOT / name).read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    for run, block in YAML(typ="safe").load(before)["runs"].items():
        for key in ("train.lr", "train.optimiser.weight_decay", "model.dropout", "train.epochs"):
            path.write_text(before, encoding="utf-8")
            write_back(path, run, {key: 0.015625})
            now = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["runs"][run]
            assert look_up(now, key) == 0.015625
            assert len(changed(path, before)) <= 2
            assert {*now} >= {*block}
