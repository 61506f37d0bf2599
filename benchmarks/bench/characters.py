"""Seconds of training to a validation score on the plays of Shakespeare, against char-rnn (character_recipe.py)."""

from functools import partial
from pathlib import Path

from bench.images import ours
from bench.levels import Reached, compare
from bench.our_training import RECIPES
from bench.processes import run_for_json
from bench.results import Pairs
from bench.setting import Setting

DATA = "shakespeare_characters"
LONGEST = 1_200.0  # seconds of the baseline


def baseline(data: Path, level: float, seed: int) -> Reached:
    return Reached.model_validate(run_for_json("bench.character_recipe", data, seed, LONGEST, level))


def measure(setting: Setting) -> Pairs:
    data = setting.prepared_whole(DATA)
    (level,) = RECIPES[DATA]
    (pairs,) = compare({level: partial(ours, data, level)}, partial(baseline, data, level), setting.rounds).values()
    return pairs
