"""One of two processes that train together on the CPU: python distributed_worker.py VISION_DATA LANGUAGE_DATA FOLDER.

Each process takes its share of every batch. Metrics are written to FOLDER/<training>-<rank>.json by each process to
which they are logged, and numbers of the result to FOLDER/<training>-result-<rank>.json by both.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cvnlp import files
from cvnlp.params.runs import Augment
from make_trainings import run_training

# without the draws of dropout and augmentation, which are per image and so differ in smaller batches
TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "vision": ("vision", {"model": {"dropout": 0.0}, "augment": Augment(), "epochs": 2}),
    "average": ("vision", {"model": {"dropout": 0.0}, "augment": Augment(), "epochs": 2, "average": "ema"}),
    "language": ("language", {"model": {"dropout": 0.0}, "epochs": 2}),
}


class Share:
    """The part of every batch that belongs to this process: half of it, or, if uneven, a third and the rest."""

    def __init__(self, batches: Any, rank: int, *, uneven: bool) -> None:
        self.batches, self.rank, self.uneven = batches, rank, uneven

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches:
            yield type(batch)(*(self._part(value) if isinstance(value, torch.Tensor) else value for value in batch))

    def _part(self, values: torch.Tensor) -> torch.Tensor:
        if not self.uneven:
            return values[self.rank :: 2]
        third = len(values) // 3
        return values[third:] if self.rank else values[:third]


def share(task: Any) -> Any:
    class Shared(task):
        def train_batches(self, epoch: int) -> Any:
            return Share(super().train_batches(epoch), self.trainer.global_rank, uneven=False)

        def validation_batches(self) -> Any:
            return Share(super().validation_batches(), self.trainer.global_rank, uneven=True)

    return Shared


def main(vision_data: str, language_data: str, folder: str) -> None:
    data, rank = {"vision": Path(vision_data), "language": Path(language_data)}, os.environ["LOCAL_RANK"]
    for name, (half, options) in TRAININGS.items():
        logged: list[dict[str, float]] = []

        def write(metrics: dict[str, float], epoch: int, name: str = name, logged: Any = logged) -> None:
            logged.append(metrics)
            files.write_json(Path(folder) / f"{name}-{rank}.json", logged)

        trained = run_training(
            half,
            data[half],
            Path(folder) / f"{name}-model-{rank}",
            resume=Path(folder) / f"{name}-resume",
            wrap=share,
            write=write,
            devices=2,
            **options,
        )
        result = {"examples": trained.fitted.examples, "best_epoch": trained.fitted.best_epoch}
        files.write_json(Path(folder) / f"{name}-result-{rank}.json", result)


if __name__ == "__main__":
    main(*sys.argv[1:])
