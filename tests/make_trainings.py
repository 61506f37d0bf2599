"""Small trainings for tests: options and networks of both halves, scripted validation scores, interruptions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.launch.settings import ONE_PROCESS, Launch
from cvnlp.params.runs import Augment, LanguageTrain, Train, VisionTrain
from cvnlp.training import trainer
from cvnlp.training.callbacks import EpochLogger
from cvnlp.training.monitor import MONITOR
from make_networks import make_config

# All sources of randomness are on: dropout, augmentation, the order of the images, an epoch that ends within the text.
TRAIN: dict[str, dict[str, Any]] = {
    "vision": {
        "epochs": 3,
        "batch_size": 64,
        "lr": 0.01,
        "label_smoothing": 0.05,
        "augment": Augment(shift=1.0, rotation=5.0, scale=0.1),
    },
    "language": {"epochs": 3, "batch_size": 8, "window": 16, "lr": 0.01, "clip": 1.0, "epoch_tokens": 1500},
}
MODEL: dict[str, tuple[str, dict[str, Any]]] = {
    "vision": ("mlp", {"hidden": [16], "dropout": 0.2}),
    "language": ("lstm", {"embedding_size": 8, "hidden_size": 16, "layers": 2, "dropout": 0.2}),
}
SHORT_EPOCH: dict[str, dict[str, Any]] = {"vision": {}, "language": {"epoch_tokens": 500}}  # three windows per column

Wrap = Callable[[Any], Any]  # a class of tasks -> a class derived from it


@dataclass
class Trained:
    fitted: trainer.Fitted
    network: nn.Module
    weights: bytes


class InterruptionError(Exception):
    pass


def make_options(half: str, **changes: Any) -> Train:
    kind = {"vision": VisionTrain, "language": LanguageTrain}[half]
    return kind(**TRAIN[half] | changes)


def ignore(metrics: dict[str, float], epoch: int) -> None:
    """Write no metrics."""


def run_training(
    half: str,
    data: Path,
    folder: Path,
    *,
    seed: int = 1,
    resume: Path | None = None,
    write: Callable[[dict[str, float], int], None] = ignore,
    wrap: Wrap = lambda task: task,
    interrupt: tuple[str, int] | None = None,
    named: tuple[str, dict[str, Any]] | None = None,
    model: dict[str, Any] | None = None,
    options: Train | None = None,
    launch: Launch = ONE_PROCESS,
    **changes: Any,
) -> Trained:
    """Train as the stage does and save the network in `folder`.

    `wrap` derives the class of the task; `interrupt`: ("log" or "batches", epoch); `named`: another network than MODEL,
    and `model` more of its options; `options` and `changes` of the training.
    """
    name, arguments = named or MODEL[half]
    data_format = domains.DOMAINS[half].models.input_format(prepared.read_facts(data))
    config = make_config(half, name, data_format, **arguments | (model or {}))
    trainer.seed_everything(seed)
    network = networks.build(config)
    write, wrap = interrupted(write, wrap, *interrupt) if interrupt else (write, wrap)
    room = domains.DOMAINS[half].training
    room = SimpleNamespace(Task=wrap(room.Task), GradientFreeTask=wrap(room.GradientFreeTask))
    options = options or make_options(half, **changes)
    task = trainer.make_task(room, network, options, folder=data, seed=seed)
    logger, state = EpochLogger(write), resume or folder / "resume"
    fitted = trainer.fit(task, run="mine", resume=state, logger=logger, launch=launch)
    networks.save(folder, network, config)
    return Trained(fitted, networks.load(folder)[0], (folder / networks.WEIGHTS).read_bytes())


def scripted(validation: list[float], states: list[dict[str, Any]] | None = None) -> Wrap:
    """Tasks with given validation scores, which append the weights of every epoch to `states`."""

    def derive(task: Any) -> Any:
        class Scripted(task):
            def validation_step(self, batch: Any) -> None:
                self.tally(MONITOR, torch.tensor(validation[self.current_epoch]), 1)

            def on_validation_epoch_end(self) -> None:
                super().on_validation_epoch_end()
                if states is not None:
                    states.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})

        return Scripted

    return derive


def interrupted(write: Any, wrap: Wrap, where: str, epoch: int) -> tuple[Any, Wrap]:
    """An error while the metrics of an epoch are logged, or at its third batch."""

    def failing_write(metrics: dict[str, float], at: int) -> None:
        if at == epoch:
            raise InterruptionError
        write(metrics, at)

    def derive(task: Any) -> Any:
        class Interrupted(wrap(task)):
            def train_batches(self, at: int) -> Any:
                batches = super().train_batches(at)
                return FailingBatches(batches) if at == epoch else batches

        return Interrupted

    return (failing_write, wrap) if where == "log" else (write, derive)


class FailingBatches:
    """Batches of which the third fails."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return self.starting_at(0)

    def starting_at(self, first: int) -> Iterator[Any]:
        for number, batch in enumerate(self.batches.starting_at(first), start=first):
            if number == 2:
                raise InterruptionError
            yield batch


def same_weights(network: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor.cpu(), state[name].cpu()) for name, tensor in network.state_dict().items())
