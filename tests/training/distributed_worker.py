"""One of two processes that train together on the CPU: python distributed_worker.py VISION_DATA LANGUAGE_DATA FOLDER.

Metrics are written to FOLDER/<training>-<rank>.json by each process to which they are logged; by both, numbers of the
result to FOLDER/<training>-result-<rank>.json, and sum and weight of the losses of every step, with the norm of the
weights after it, to FOLDER/<training>-steps-<rank>.json.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cvnlp import files
from cvnlp.launch.settings import Launch
from cvnlp.launch.slices import BatchSlices
from cvnlp.params.optimiser import Optimiser
from cvnlp.params.runs import Augment, Prune
from cvnlp.training.batch_mean import BatchMean
from make_trainings import run_training

# without the draws of dropout and augmentation, which are per image and so differ in smaller batches
PLAIN: dict[str, Any] = {"model": {"dropout": 0.0}, "augment": Augment(), "epochs": 2}
TEXT: dict[str, Any] = {"model": {"dropout": 0.0}, "epochs": 2}
TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "vision": ("vision", PLAIN),
    "uneven": ("vision", {**PLAIN, "batch_size": 23}),  # 300 images: the last batch has a single one
    "balanced": ("vision", {**PLAIN, "class_weights": "balanced"}),
    "pruned": ("vision", {**PLAIN, "epochs": 3, "prune": Prune()}),
    "average": ("vision", {**PLAIN, "average": "ema"}),
    "language": ("language", TEXT),
    "variable": (
        "language",
        {
            **TEXT,
            "epoch_tokens": None,
            "window_lengths": "variable",
            "activation_regularisation": 2.0,
            "temporal_regularisation": 1.0,
            "optimiser": Optimiser(name="sgd", schedule="constant", warmup=0),
        },
    ),
}
ACCUMULATED = ("uneven", "language")  # by each of the two processes in two parts, in TRAININGS under "<name>-parts"
TRAININGS |= {f"{name}-parts": TRAININGS[name] for name in ACCUMULATED}
Steps = list[tuple[float, float, float]]


class RecordedMean(BatchMean):
    """Adds sum and weight of the loss of every slice to `slices`."""

    def __init__(self, slices: list[tuple[float, float]]) -> None:
        super().__init__()
        self.recorded = slices

    def loss(self, mean: torch.Tensor, weight: int | torch.Tensor, slices: BatchSlices) -> torch.Tensor:
        self.recorded.append((float(mean.detach()) * float(weight), float(weight)))
        return super().loss(mean, weight, slices)


def recording(steps: Steps) -> Callable[[Any], Any]:
    """Tasks that add sum and weight of the losses of each step, and the norm of the weights after it, to `steps`."""

    def derive(task: Any) -> Any:
        class Recorded(task):
            def on_train_start(self) -> None:
                super().on_train_start()
                self.found: list[tuple[float, float]] = []
                self.batch_mean = RecordedMean(self.found)

            def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
                super().on_train_batch_end(outputs, batch, batch_idx)
                if (batch_idx + 1) % self.slices.accumulate == 0:
                    norm = sum(float(one.detach().double().square().sum()) for one in self.network.parameters())
                    steps.append((sum(one for one, _ in self.found), sum(one for _, one in self.found), norm**0.5))
                    self.found.clear()

        return Recorded

    return derive


def main(vision_data: str, language_data: str, folder: str) -> None:
    data, rank = {"vision": Path(vision_data), "language": Path(language_data)}, os.environ["LOCAL_RANK"]
    for name, (half, options) in TRAININGS.items():
        logged: list[dict[str, float]] = []
        steps: Steps = []

        def write(metrics: dict[str, float], epoch: int, name: str = name, logged: Any = logged) -> None:
            logged.append(metrics)
            files.write_json(Path(folder) / f"{name}-{rank}.json", logged)

        trained = run_training(
            half,
            data[half],
            Path(folder) / f"{name}-model-{rank}",
            resume=Path(folder) / f"{name}-resume",
            wrap=recording(steps),
            write=write,
            launch=Launch(accelerator="cpu", devices=2, accumulate=2 if name.endswith("-parts") else 1),
            **options,
        )
        files.write_json(Path(folder) / f"{name}-steps-{rank}.json", steps)
        result = {"examples": trained.fitted.examples, "best_epoch": trained.fitted.best_epoch}
        files.write_json(Path(folder) / f"{name}-result-{rank}.json", result)


if __name__ == "__main__":
    main(*sys.argv[1:])
