"""A training of this project to a level of its validation score, for comparison with a usual recipe.

    python -m bench.our_training WHOLE RECIPE LEVEL SEED

WHOLE is the folder of the prepared data, RECIPE a name in `RECIPES`.
"""

import itertools
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpu_training import AnyRun, fit_run
from gpu_training import Setting as Folders

from bench.levels import Reached, first_times
from bench.processes import print_result
from bench.setting import BENCHMARKS, PROCESSORS
from cvnlp import networks
from cvnlp.params import read_params

METRICS = {"vision": ("validation_accuracy", True), "language": ("validation_nll", False)}


@dataclass(frozen=True)
class Recipe:
    """A run of benchmarks/params.yaml, by its name, with changes of its blocks `train` and `model`."""

    run: str
    train: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)

    def block(self, params: Path = BENCHMARKS / "params.yaml") -> AnyRun:
        run = read_params(params).runs[self.run]
        train = run.train.model_dump(exclude_unset=True) | {"threads": PROCESSORS} | self.train
        model = run.model.model_dump(exclude_unset=True) | self.model
        blocks = {"train": type(run.train).model_validate(train), "model": type(run.model).model_validate(model)}
        return run.model_copy(update=blocks)


DIGITS = {"batch_size": 128, "augment": {"crop": 1}, "precision": "bf16"}
CHARACTERS = {"epochs": 8, "batch_size": 64, "lr": 0.008, "precision": "bf16"}
# data set -> level of the validation score -> the run that is timed to it
RECIPES: dict[str, dict[float, Recipe]] = {
    "mnist": {
        0.99: Recipe("resnet_mnist_1", DIGITS | {"epochs": 1}),
        0.994: Recipe("resnet_mnist_1", DIGITS | {"epochs": 4}),
    },
    "fashion_mnist": {
        0.90: Recipe("resnet_fashion_1", {"epochs": 4, "prune": None}),
        0.92: Recipe("resnet_fashion_1", {"epochs": 8}),
        0.94: Recipe("resnet_fashion_1", {"epochs": 32}),
    },
    "shakespeare_characters": {1.50: Recipe("lstm_characters_1", CHARACTERS, {"hidden_size": 384})},
}


def train(run: AnyRun, whole: Path, level: float) -> Reached:
    """Train a run; its `seconds_to` the level are those of the training steps alone."""
    networks.use_threads(run.train.threads)
    folders = Folders(whole, whole, quick=False, deadline=time.perf_counter() + 86_400)
    trained = fit_run(folders, run)
    metric, higher = METRICS[run.domain]
    scores = [row[metric] for row in trained.fitted.history]
    return first_times(scores, [*itertools.accumulate(trained.epochs)], [level], higher=higher)


if __name__ == "__main__":
    whole, dataset, level, seed = sys.argv[1:]
    run = RECIPES[dataset][float(level)].block().model_copy(update={"seed": int(seed)})
    print_result(train(run, Path(whole), float(level)).model_dump())
