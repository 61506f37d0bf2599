"""The block `tune`: ranges are refused with the key's full path, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest

from cvnlp.params.tune import Range, look_up, substitute
from cvnlp.params.tuned_runs import present_values, with_values
from params_file import GOOD, changed, check_refusal, read

TUNE = "runs.first.tune"
REFUSED = [
    ({"train.lrr": {"uniform": [0, 1]}}, ["train.lrr: unknown key; valid keys", "label_smoothing"]),
    ({"seed": {"int": [1, 2]}}, [f"{TUNE}.seed: a key begins with model. or train."]),
    ({"train": {"int": [1, 2]}}, [f"{TUNE}.train: a key begins with model. or train."]),
    ({"train.lr": {"log_uniform": [1.0, 0.1]}}, [f"{TUNE}.train.lr: log_uniform: low must be below high"]),
    ({"train.lr": {"uniform": [0.1, 0.1]}}, [f"{TUNE}.train.lr: uniform: low must be below high"]),
    ({"train.lr": {"log_uniform": [0, 1]}}, [f"{TUNE}.train.lr: log_uniform: low must be above 0"]),
    ({"train.lr": {"uniform": [-0.5, 1]}}, [f"{TUNE}.train.lr: -0.5 is refused: train.lr: must be above 0"]),
    ({"model.dropout": {"uniform": [0, 1]}}, [f"{TUNE}.model.dropout: 1.0 is refused", "from 0 to below 1"]),
    ({"train.epochs": {"uniform": [1, 5]}}, [f"{TUNE}.train.epochs: 1.0 is refused", "valid integer"]),
    ({"train.epochs": {"int": [1.5, 5]}}, [f"{TUNE}.train.epochs.int.0", "1.5"]),
    ({"train.optimiser.name": {"choice": ["adamw", "adam"]}}, [f"{TUNE}.train.optimiser.name: 'adam' is refused"]),
    ({"train.optimiser.name": {"choice": ["adamw"]}}, [f"{TUNE}.train.optimiser.name.choice"]),
    ({"train.optimiser.name": {"choice": ["adamw", "adamw"]}}, ["must not contain a value more than once"]),
    ({"train.lr": {"log": [1, 2]}}, [f"{TUNE}.train.lr.log: unknown key", "choice, int, log_uniform, uniform"]),
    ({"train.lr": {}}, [f"{TUNE}.train.lr: a range is one of log_uniform, uniform, int, choice; this has none"]),
    (
        {"train.lr": {"uniform": [1, 2], "int": [1, 2]}},
        ["a range is one of", "this has uniform, int"],
    ),
    ({"train.lr": {"uniform": [1, 2, 3]}}, [f"{TUNE}.train.lr.uniform"]),
    ({"train.lr": 0.1}, [f"{TUNE}.train.lr", "0.1"]),
    ({"train.lr": {"uniform": [0.5, 0.9]}}, [f"{TUNE}.train.lr: the range must contain the present value, 0.1"]),
    ({"train.clip": {"uniform": [0.5, 0.9]}}, [f"{TUNE}.train.clip: the range must contain the present value, None"]),
]


@pytest.mark.parametrize(("ranges", "words"), REFUSED)
def test_a_range_that_the_run_cannot_use_is_refused(ranges: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    check_refusal(tmp_path, {TUNE: ranges, "runs.first.train.lr": 0.1}, words)


def test_ranges_are_read(tmp_path: Path) -> None:
    ranges = {
        "train.lr": {"log_uniform": [1e-3, 1]},
        "train.optimiser.weight_decay": {"uniform": [0, 0.1]},
        "train.augment.rotation": {"int": [0, 20]},
        "train.optimiser.schedule": {"choice": ["cosine", "linear"]},
        "train.clip": {"choice": [None, 1.0]},
    }
    run = read(tmp_path, changed({TUNE: ranges, "runs.first.train.lr": 0.1})).runs["first"]
    present = present_values(run, run.tune)
    assert present == dict(zip(ranges, [0.1, 0.0, 0, "cosine", None], strict=True))
    assert isinstance(present["train.augment.rotation"], int)


def test_a_run_with_other_values_is_checked_as_a_whole(tmp_path: Path) -> None:
    run = read(tmp_path, GOOD).runs["first"]
    raw = GOOD["runs"]["first"]  # type: ignore[index]
    other = with_values(run, raw, {"train.lr": 0.25, "train.optimiser": {"name": "sgd", "momentum": 0.5}})
    assert (other.train.lr, other.train.optimiser.momentum) == (0.25, 0.5)
    with pytest.raises(ValueError, match=r"train\.optimiser: momentum belongs to sgd and muon"):
        with_values(run, raw, {"train.optimiser": {"name": "adamw", "momentum": 0.5}})


def test_values_replace_entries_of_tables_and_lists_in_a_copy() -> None:
    block = {"model": {"blocks": [{"filters": 1}, {"filters": 2}]}}
    found = substitute(block, {"model.blocks.1.filters": 8, "train.augment.shift": 1})
    assert found == {"model": {"blocks": [{"filters": 1}, {"filters": 8}]}, "train": {"augment": {"shift": 1}}}
    assert block == {"model": {"blocks": [{"filters": 1}, {"filters": 2}]}}
    assert look_up(found, "model.blocks.0.filters") == 1
    for key in ("model.blocks.2.filters", "model.width", "model.blocks.0.filters.x"):
        with pytest.raises(KeyError):
            look_up(found, key)


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        ({"uniform": [0, 1]}, [0, 0.5, 1], [-0.1, 1.1, None, "a", True]),
        ({"int": [1, 3]}, [1, 3], [0, 4, 1.5, False]),
        ({"choice": [None, [8], "a"]}, [None, [8], "a"], [[9], 0]),
    ],
)
def test_a_range_contains_what_a_search_can_return(values: Any, inside: list[Any], outside: list[Any]) -> None:
    found = Range(**values)
    assert all(map(found.contains, inside))
    assert not any(map(found.contains, outside))
