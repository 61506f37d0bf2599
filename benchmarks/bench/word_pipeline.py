"""Word models trained by the pipeline, in a process of their own, for comparison with word_recipe.py.

    python -m bench.word_pipeline rounds DATA MODEL ROUNDS WINDOWS
    python -m bench.word_pipeline train DATA MODEL TOKENS FOLDER

MODEL is `same`, the recipe's network, or `own`. `rounds` trains on WINDOWS windows for each line of standard input,
ROUNDS in all, and prints the seconds. `train` trains on TOKENS tokens, prints seconds and tokens, saves the network.
"""

import contextlib
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import nn

from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.language.batches import Windows
from cvnlp.language.training import Task
from cvnlp.params.language_networks import LstmOptions
from cvnlp.params.network_config import NetworkConfig
from cvnlp.params.runs import LanguageTrain
from cvnlp.training import trainer
from cvnlp.training.callbacks import EpochLogger

SEED = 1
LSTM: dict[str, Any] = {"embedding_size": 200, "hidden_size": 200, "layers": 2, "initial_range": 0.1}
MODELS = {
    "same": LstmOptions(**LSTM, output="chunked", dropout=0.2, output_bias="zero"),
    # As lstm_words in params.yaml. Three minutes are too few epochs for dropout to help.
    "own": LstmOptions(
        **LSTM, output="grouped", tied=True, embedding_scale=10.0, forget_bias=1.0, output_bias="frequencies"
    ),
}
TRAIN: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 20,
    "window": 35,
    "lr": 20.0,
    "clip": 0.25,
    "optimiser": {"name": "sgd", "schedule": "cosine", "warmup": 0.05},
}


class Rounds:
    """Windows in rounds of `count`: a round starts when a line is read, and its seconds are written at its end.

    A window is requested when the step on the one before is done; so there is one more after the last round.
    """

    def __init__(self, windows: Windows, count: int) -> None:
        self.windows, self.count = windows, count

    def __len__(self) -> int:
        return len(self.windows)

    def __iter__(self) -> Iterator[Any]:
        windows = iter(self.windows)
        for _ in range(len(self) // self.count):
            sys.stdin.readline()
            started = time.perf_counter()
            yield from itertools.islice(windows, self.count)
            print(time.perf_counter() - started, file=sys.__stdout__, flush=True)
        yield from windows


class RoundsTask(Task):
    """Training in rounds of `count` windows."""

    count: int

    def train_batches(self, epoch: int) -> Any:
        return Rounds(super().train_batches(epoch), self.count)


def fit(
    name: str, data: Path, make_task: Callable[..., Task], **changes: Any
) -> tuple[nn.Module, NetworkConfig, trainer.Fitted]:
    """Train a model as the stage does, but without MLflow."""
    options = LanguageTrain.model_validate(TRAIN | changes)
    config = networks.describe("language", MODELS[name], prepared.read_facts(data))
    trainer.seed_everything(SEED)
    network = networks.build(config)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        fitted = trainer.fit(
            make_task(network, options, folder=data, seed=SEED),
            run=name,
            resume=Path(folder),
            logger=EpochLogger(lambda metrics, epoch: None),
        )
    return network, config, fitted


def run_rounds(name: str, data: Path, rounds: int, count: int) -> None:
    RoundsTask.count = count
    fit(name, data, RoundsTask, epoch_tokens=(rounds * count + 1) * TRAIN["batch_size"] * TRAIN["window"])


def run_whole(name: str, data: Path, tokens: int, folder: Path) -> None:
    started = time.perf_counter()
    network, config, fitted = fit(name, data, Task, epoch_tokens=tokens)
    print(time.perf_counter() - started, fitted.examples, flush=True)
    networks.save(folder, network, config)


if __name__ == "__main__":
    what, data, name, amount, last = sys.argv[1:]
    if what == "rounds":
        run_rounds(name, Path(data), int(amount), int(last))
    else:
        run_whole(name, Path(data), int(amount), Path(last))
