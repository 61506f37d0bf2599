"""Word models of the pipeline against the usual recipe (word_recipe.py), on the Penn Treebank.

Tokens per second, of the recipe's own network and of the pipeline's settings for it, in short alternating rounds; and
perplexity on the whole validation text after equal seconds of training. Every training has a process of its own, and
all models are scored by the same function.
"""

import math
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.processes import environment, python
from bench.results import Pairs
from bench.setting import Setting
from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.models.recurrent import Lstm
from cvnlp.params.language_networks import LstmOptions
from cvnlp.params.network_config import TextFormat

RECIPE, PIPELINE = "bench.word_recipe", "bench.word_pipeline"
WINDOWS = 40  # of a round
WINDOW_TOKENS = 20 * 35
RESERVE = 0.05  # fraction of the seconds for the start and for the validation at the end


class Worker:
    """A process that trains for one round on request."""

    def __init__(self, module: str, *arguments: str, rounds: int, windows: int) -> None:
        command = python("-m", module, "rounds", *arguments, str(rounds), str(windows))
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def round(self) -> float:
        """Train for one round; returns its seconds. RuntimeError if the process has ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait()}")
        return float(answer)

    def end(self) -> None:
        self.process.communicate()


def speeds(data: Path, rounds: int, *, windows: int = WINDOWS) -> dict[str, list[float]]:
    """Tokens per second of each in the rounds, after one to warm up."""
    arguments = {
        "recipe": (RECIPE, str(data)),
        "same": (PIPELINE, str(data), "same"),
        "own": (PIPELINE, str(data), "own"),
    }
    workers = {name: Worker(*given, rounds=1 + rounds, windows=windows) for name, given in arguments.items()}
    found = [{name: worker.round() for name, worker in workers.items()} for _ in range(1 + rounds)][1:]
    for worker in workers.values():
        worker.end()
    return {name: [windows * WINDOW_TOKENS / row[name] for row in found] for name in workers}


def own_speed(data: Path, *, windows: int = WINDOWS) -> float:
    """Tokens per second of the pipeline's own settings, after a warm-up."""
    worker = Worker(PIPELINE, str(data), "own", rounds=2, windows=windows)
    seconds = [worker.round() for _ in range(2)][-1]
    worker.end()
    return windows * WINDOW_TOKENS / seconds


def train(module: str, *arguments: str) -> tuple[float, int]:
    """Run a training; returns its seconds and tokens."""
    command = python("-m", module, "train", *arguments)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment())
    seconds, tokens = done.stdout.split()
    return float(seconds), int(tokens)


def as_network(weights: dict[str, Tensor]) -> Lstm:
    """Convert the recipe's model to a network of the pipeline, to score both with the same function."""
    words, size = weights["encoder.weight"].shape
    layers = sum(name.startswith("rnn.weight_ih") for name in weights)
    network = Lstm(TextFormat(vocabulary_size=words), LstmOptions(embedding_size=size, hidden_size=size, layers=layers))
    found = {"embedding.weight": weights["encoder.weight"]}
    found |= {f"output.{kind}": weights[f"decoder.{kind}"] for kind in ("weight", "bias")}
    for layer in range(layers):
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            found[f"recurrent.{layer}.{kind}_l0"] = weights[f"rnn.{kind}_l{layer}"]
    network.load_state_dict(found)
    return network.eval()


def perplexity(network: Any, data: Path) -> float:
    """Perplexity on the whole validation text."""
    start = prepared.read_facts(data, prepared.LanguageFacts).start
    nats = text_nats(network, prepared.load_array(data, "validation"), start)
    return math.exp(float(nats.mean(dtype=np.float64)))


def train_for(data: Path, seconds: float, speed: float) -> tuple[float, float, float]:
    """Train ours for about `seconds` at `speed` tokens per second, and the recipe for exactly as long; returns the
    perplexities of both, and the seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        own, weights = Path(folder) / "own", Path(folder) / "recipe.pt"
        planned = max(WINDOW_TOKENS, int(speed * seconds * (1 - RESERVE)))
        spent, _ = train(PIPELINE, str(data), "own", str(planned), str(own))
        train(RECIPE, str(data), str(spent), str(weights))
        mine = perplexity(networks.load(own)[0], data)
        other = perplexity(as_network(torch.load(weights, weights_only=True)), data)
    return mine, other, spent


def measure_speed(setting: Setting) -> dict[str, Pairs]:
    """`same`: the recipe's network; `own`: tied, grouped output, without dropout."""
    found = speeds(setting.prepared_whole("ptb"), setting.rounds)
    return {name: Pairs(ours=found[name], baseline=found["recipe"]) for name in ("same", "own")}


def measure_perplexity(setting: Setting, *, minutes: float) -> Pairs:
    """The seed is the same in all rounds; it is the seconds that vary."""
    data = setting.prepared_whole("ptb")
    speed = own_speed(data)
    rows = [train_for(data, 60 * minutes, speed) for _ in range(setting.rounds)]
    ours, baseline, spent = (list(column) for column in zip(*rows, strict=True))
    return Pairs(ours=ours, baseline=baseline, details={"seconds": max(spent)})
