"""Seconds of training to an accuracy on validation images: ours against the usual first network (image_recipe.py)."""

from functools import partial
from pathlib import Path

from bench.image_recipe import EPOCHS
from bench.levels import Reached, compare
from bench.our_training import RECIPES
from bench.processes import run_for_json
from bench.results import Pairs
from bench.setting import Setting

QUICK_EPOCHS = 2  # of the baseline, a minute each on two cores


def ours(data: Path, level: float, seed: int) -> Reached:
    return Reached.model_validate(run_for_json("bench.our_training", data.parent, data.name, level, seed))


def baseline(data: Path, levels: list[float], epochs: int, seed: int) -> Reached:
    return Reached.model_validate(run_for_json("bench.image_recipe", data, seed, epochs, *levels))


def measure(setting: Setting, *, dataset: str) -> dict[str, Pairs]:
    """By level, in per cent; the quick form has only the lowest level, and a baseline of a few epochs."""
    data = setting.prepared_whole(dataset)
    levels = [*RECIPES[dataset]] if setting.full else [*RECIPES[dataset]][:1]
    trainings = {level: partial(ours, data, level) for level in levels}
    epochs = EPOCHS if setting.full else QUICK_EPOCHS
    found = compare(trainings, partial(baseline, data, levels, epochs), setting.rounds)
    return {f"{100 * float(level):g}": pairs for level, pairs in found.items()}
