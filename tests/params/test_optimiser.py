"""The block `optimiser` of a training."""

from pathlib import Path
from typing import Any

import pytest

from params_file import check_refusal

REFUSED = [
    pytest.param(
        {"runs.first.train.optimiser.beta": 0.9},
        ["runs.first.train.optimiser.beta: unknown key", "momentum", "weight_decay"],
        id="in the optimiser",
    ),
    pytest.param(
        {"runs.first.train.optimiser.name": "adam"},
        ["runs.first.train.optimiser.name", "'adamw'", "'sgd'", "given: 'adam'"],
        id="unknown optimiser",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "momentum": 0.9}},
        ["runs.first.train.optimiser", "momentum", "sgd", "adamw", "0.9"],
        id="adamw with momentum",
    ),
    pytest.param(
        {"runs.first.train.optimiser.nesterov": True},
        ["runs.first.train.optimiser", "nesterov", "momentum above 0"],
        id="nesterov without momentum",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "nesterov": False}},
        ["runs.first.train.optimiser", "nesterov", "sgd"],
        id="nesterov of muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "eps": 1e-8}},
        ["runs.first.train.optimiser", "eps", "adamw", "muon"],
        id="eps of muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "weight_decay": 0.1, "decay_all": False}},
        ["runs.first.train.optimiser", "decay_all", "adamw and sgd"],
        id="decay_all of muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "muon", "schedule": "one_cycle"}},
        ["runs.first.train.optimiser", "one_cycle", "cosine, linear or constant"],
        id="one_cycle with muon",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "sgd", "kernel_lr": 0.1}},
        ["runs.first.train.optimiser", "kernel_lr", "muon"],
        id="kernel_lr of sgd",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "nesterov": True}},
        ["runs.first.train.optimiser", "nesterov", "sgd"],
        id="nesterov of adamw",
    ),
    pytest.param(
        {"runs.first.train.optimiser.betas": [0.9, 0.99]},
        ["runs.first.train.optimiser", "betas", "adamw"],
        id="betas of sgd",
    ),
    pytest.param(
        {"runs.first.train.optimiser.eps": 1e-6}, ["runs.first.train.optimiser", "eps", "adamw"], id="eps of sgd"
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "betas": [0.9]}},
        ["runs.first.train.optimiser.betas", "at least 2", "[0.9]"],
        id="one beta",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "betas": [0.9, 1.0]}},
        ["runs.first.train.optimiser.betas.1", "below 1", "1.0"],
        id="beta of 1",
    ),
    pytest.param(
        {"runs.first.train.optimiser.decay_all": False},
        ["runs.first.train.optimiser", "decay_all", "weight_decay above 0"],
        id="decay_all without decay",
    ),
    pytest.param(
        {"runs.first.train.optimiser.schedule": "step"},
        ["runs.first.train.optimiser.schedule", "'cosine'", "'one_cycle'", "'step'"],
        id="unknown schedule",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "sgd", "schedule": "constant", "final": 0.1}},
        ["runs.first.train.optimiser", "final", "constant", "one_cycle"],
        id="final of constant",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "sgd", "schedule": "one_cycle", "warmup": 0.0}},
        ["runs.first.train.optimiser", "one_cycle", "warmup"],
        id="one_cycle without warmup",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "lowest_momentum": 0.8}},
        ["runs.first.train.optimiser", "lowest_momentum", "one_cycle"],
        id="momentum of another schedule",
    ),
    pytest.param(
        {"runs.first.train.optimiser": {"name": "adamw", "schedule": "one_cycle", "lowest_momentum": 0.95}},
        ["runs.first.train.optimiser", "lowest_momentum", "0.9"],
        id="lowest momentum above the momentum",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "factor": 1.0}},
        ["runs.second.train.optimiser.factor", "below 1", "1.0"],
        id="factor 1 of plateau",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "factor": 0.5}},
        ["runs.second.train.optimiser", "factor", "schedule: plateau or exponential"],
        id="factor of cosine",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "factor": None}},
        ["runs.second.train.optimiser", "factor: a number with schedule: plateau"],
        id="plateau without factor",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "hold_epochs": 2}},
        ["runs.second.train.optimiser", "hold_epochs", "schedule: exponential"],
        id="hold_epochs of plateau",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "exponential", "hold_epochs": 0}},
        ["runs.second.train.optimiser.hold_epochs", "above 0", "0"],
        id="hold_epochs 0",
    ),
    pytest.param(
        {"runs.second.train.optimiser": {"name": "sgd", "schedule": "plateau", "warmup": 0.1}},
        ["runs.second.train.optimiser", "warmup belongs to cosine, linear, constant and one_cycle", "plateau"],
        id="warmup of a plateau",
    ),
]


@pytest.mark.parametrize(("changes", "parts"), REFUSED)
def test_mistake_is_refused_with_key_value_and_choices(
    tmp_path: Path, changes: dict[str, Any], parts: list[str]
) -> None:
    check_refusal(tmp_path, changes, parts)
