"""The block `train` of a run: length, averages, windows, augmentation, pruning."""

from pathlib import Path
from typing import Any

import pytest

from params_file import GOOD, REMOVED, changed, check_refusal, read

TRAIN_KEYS = ["valid keys: ", "augment", "batch_size", "epochs", "lr", "optimiser", "precision"]
REFUSED = [
    pytest.param({"runs.first.train.epoch": 3}, ["runs.first.train.epoch: unknown key", *TRAIN_KEYS], id="in train"),
    pytest.param(
        {"runs.second.train.label_smoothing": 0.1},
        ["runs.second.train.label_smoothing: unknown key", "epoch_tokens", "window"],
        id="key of the other half",
    ),
    pytest.param(
        {"runs.first.train.augment": {"mirror": 1}},
        ["runs.first.train.augment.mirror: unknown key", "flip", "rotation", "scale", "shift"],
        id="in the augmentation",
    ),
    pytest.param({"runs.first.train.epochs": "many"}, ["runs.first.train.epochs", "integer", "'many'"], id="text, int"),
    pytest.param({"runs.first.train.epochs": "3"}, ["runs.first.train.epochs", "integer", "'3'"], id="quoted, int"),
    pytest.param({"runs.first.train.epochs": 3.0}, ["runs.first.train.epochs", "integer", "3.0"], id="float, int"),
    pytest.param({"runs.first.train.epochs": True}, ["runs.first.train.epochs", "integer", "True"], id="bool, int"),
    pytest.param({"runs.first.train.epochs": None}, ["runs.first.train.epochs", "integer", "None"], id="null, int"),
    pytest.param({"runs.first.train.lr": True}, ["runs.first.train.lr", "number", "True"], id="bool, float"),
    pytest.param({"runs.first.train.lr": "1e-3"}, ["runs.first.train.lr", "number", "'1e-3'"], id="text, float"),
    pytest.param({"runs.first.train.epochs": -1}, ["runs.first.train.epochs", "0", "-1"], id="negative epochs"),
    pytest.param({"runs.first.train.lr": 0}, ["runs.first.train.lr", "above 0", "given: 0"], id="lr 0"),
    pytest.param({"runs.first.train.lr": float("inf")}, ["runs.first.train.lr", "inf"], id="infinite lr"),
    pytest.param({"runs.first.train.lr": float("nan")}, ["runs.first.train.lr", "nan"], id="nan lr"),
    pytest.param({"runs.first.train.epochs": REMOVED}, ["runs.first.train.epochs: missing key"], id="no epochs"),
    pytest.param(
        {"runs.first.train.precision": "16"},
        ["runs.first.train.precision", "'32'", "'bf16'", "given: '16'"],
        id="unknown precision",
    ),
    pytest.param(
        {"runs.second.train.average": "nt_asgd", "runs.second.train.average_start": 0.5},
        ["runs.second.train", "average_start", "average: ema or swa"],
        id="start of a triggered average",
    ),
    pytest.param(
        {"runs.second.train.average": "swa", "runs.second.train.average_interval": 5},
        ["runs.second.train", "average_interval", "average: nt_asgd"],
        id="interval of a plain average",
    ),
    pytest.param(
        {"runs.second.train.average": "nt_asgd", "runs.second.train.average_interval": 0},
        ["runs.second.train.average_interval", "above 0", "0"],
        id="interval 0",
    ),
    pytest.param(
        {"runs.second.train.window_lengths": "random"},
        ["runs.second.train.window_lengths", "'fixed'", "'variable'", "'random'"],
        id="unknown window lengths",
    ),
    pytest.param(
        {"runs.second.train.window_lengths": "variable", "runs.second.train.window": 9},
        ["runs.second.train", "window_lengths: variable", "window of at least 10, not 9"],
        id="short variable window",
    ),
    pytest.param(
        {"runs.first.train.window_lengths": "variable"},
        ["runs.first.train.window_lengths: unknown key"],
        id="window lengths of pictures",
    ),
    pytest.param(
        {"runs.first.train.average": "sma"},
        ["runs.first.train.average", "'ema'", "'swa'", "'none'", "'sma'"],
        id="unknown average",
    ),
    pytest.param({"runs.first.train.average": ["ema"]}, ["runs.first.train.average", "'ema'"], id="list of averages"),
    pytest.param(
        {"runs.first.train.average_decay": 0.99},
        ["runs.first.train", "average_decay", "average: ema"],
        id="decay of no average",
    ),
    pytest.param(
        {"runs.first.train.average": "swa", "runs.first.train.average_decay": 0.99},
        ["runs.first.train", "average_decay", "average: ema"],
        id="decay of a plain average",
    ),
    pytest.param(
        {"runs.second.train.average_start": 0.5},
        ["runs.second.train", "average_start", "average: ema or swa"],
        id="start of no average",
    ),
    pytest.param(
        {"runs.first.train.average": "ema", "runs.first.train.average_start": 1.0},
        ["runs.first.train.average_start", "below 1", "1.0"],
        id="start of an average after the end",
    ),
    pytest.param(
        {"runs.first.train.class_weights": "inverse"},
        ["runs.first.train.class_weights", "'none'", "'balanced'", "'inverse'"],
        id="unknown class weights",
    ),
    pytest.param(
        {"runs.second.train.class_weights": "none"},
        ["runs.second.train.class_weights: unknown key"],
        id="class weights of text",
    ),
    pytest.param({"runs.first.train.prune": {"skip": 1}}, ["train.prune.skip", "above 0 and below 1"], id="skip 1"),
    pytest.param(
        {"runs.first.train.prune": {"share": 0.5}}, ["runs.first.train.prune.share: unknown key"], id="share pruned"
    ),
    pytest.param({"runs.first.train.augment": {"flip": 1}}, ["runs.first.train.augment.flip", "boolean"], id="flip 1"),
    pytest.param(
        {"runs.first.train.augment": {"flip": "random"}},
        ["runs.first.train.augment.flip", "False, True or 'alternating'", "'random'"],
        id="unknown flip",
    ),
    pytest.param(
        {"runs.first.train.augment": {"crop": 1.5}}, ["runs.first.train.augment.crop", "integer", "1.5"], id="crop 1.5"
    ),
    pytest.param(
        {"runs.first.train.augment": {"crop_fill": "reflect"}},
        ["runs.first.train.augment", "crop_fill", "crop above 0"],
        id="crop_fill without crop",
    ),
    pytest.param(
        {"runs.first.train.augment": {"erasing_fill": "mean"}},
        ["runs.first.train.augment", "erasing_fill", "erasing above 0"],
        id="erasing_fill without erasing",
    ),
    pytest.param(
        {"runs.first.train.augment": {"erasing": 1.5}}, ["runs.first.train.augment.erasing", "1.5"], id="erasing 1.5"
    ),
    pytest.param(
        {"runs.first.train.augment": {"shear": 90}},
        ["train.augment.shear", "from 0 to below 90"],
        id="shear 90",
    ),
]


@pytest.mark.parametrize(("changes", "parts"), REFUSED)
def test_mistake_is_refused_with_key_value_and_choices(
    tmp_path: Path, changes: dict[str, Any], parts: list[str]
) -> None:
    check_refusal(tmp_path, changes, parts)


def test_defaults_depend_on_the_kind_chosen(tmp_path: Path) -> None:
    train = read(tmp_path, GOOD).runs["first"].train
    assert (train.average, train.average_decay, train.average_start) == ("none", None, None)
    assert (train.optimiser.betas, train.optimiser.eps, train.optimiser.warmup) == (None, None, 0.05)
    changes = {
        "runs.first.train.average": "ema",
        "runs.first.train.optimiser": {"name": "adamw", "schedule": "one_cycle"},
        "runs.second.train.average": "swa",
        "runs.second.train.optimiser": {"name": "adamw", "schedule": "one_cycle", "warmup": 0.1, "betas": [0.8, 0.9]},
    }
    params = read(tmp_path, changed(changes))
    first, second = params.runs["first"].train, params.runs["second"].train
    assert (first.average_decay, first.average_start) == (0.999, 0.0)
    assert (first.optimiser.betas, first.optimiser.eps, first.optimiser.warmup) == ([0.9, 0.999], 1e-8, 0.3)
    assert (second.average_decay, second.average_start) == (None, 0.75)
    assert (second.optimiser.betas, second.optimiser.warmup) == ([0.8, 0.9], 0.1)
    changes = {
        "runs.first.train.average": "nt_asgd",
        "runs.first.train.optimiser": {"name": "sgd", "schedule": "plateau"},
        "runs.second.train.optimiser": {"name": "sgd", "schedule": "exponential", "hold_epochs": 4},
    }
    params = read(tmp_path, changed(changes))
    first, second = params.runs["first"].train, params.runs["second"].train
    assert (first.average_decay, first.average_start, first.average_interval) == (None, None, 5)
    assert (first.optimiser.factor, first.optimiser.hold_epochs, first.optimiser.warmup) == (0.25, None, 0.0)
    assert (second.optimiser.factor, second.optimiser.hold_epochs, second.optimiser.warmup) == (0.5, 4, 0.0)
