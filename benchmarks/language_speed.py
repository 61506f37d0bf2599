"""Word models of the pipeline against the usual recipe (word_recipe.py), on Penn Treebank.

    python benchmarks/language_speed.py [--seconds 180]

First tokens per second, of the recipe's own network and of the pipeline's settings for it, in short alternating rounds.
Then perplexity on the whole validation text after equal seconds of training, one after the other. Every training has a
process of its own, and all models are scored by the same function.
Needs the prepared data: `dvc repro prepare@ptb` in benchmarks/.
"""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.models.recurrent import Lstm
from cvnlp.params.language_networks import LstmOptions
from cvnlp.params.network_config import TextFormat

FOLDER = Path(__file__).parent
DATA = FOLDER / "data/prepared/ptb"
ROUNDS, WINDOWS = 5, 60
SECONDS = 180.0  # of each training
WINDOW_TOKENS = 20 * 35
RESERVE = 0.05  # fraction of the seconds for the start and for the validation at the end


class Worker:
    """A process that trains for one round on request."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, str(FOLDER / script), "rounds", *arguments, str(1 + ROUNDS), str(WINDOWS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self) -> float:
        """Train for one round; returns its seconds."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args!r} ended with {self.process.wait()}")
        return float(answer)

    def end(self) -> None:
        self.process.communicate()


def speeds(data: Path) -> dict[str, list[float]]:
    """Seconds of the rounds of each, in turn, which cancels changes of the machine's speed."""
    workers = {
        "recipe": Worker("word_recipe.py", str(data)),
        "same": Worker("word_pipeline.py", str(data), "same"),
        "own": Worker("word_pipeline.py", str(data), "own"),
    }
    rounds = [{name: worker.round() for name, worker in workers.items()} for _ in range(1 + ROUNDS)][1:]
    for worker in workers.values():
        worker.end()
    return {name: [row[name] for row in rounds] for name in workers}


def train(script: str, *arguments: str) -> tuple[float, int]:
    """Run a training; returns its seconds and tokens."""
    command = [sys.executable, str(FOLDER / script), "train", *arguments]
    seconds, tokens = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
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


def compare_speed(data: Path) -> float:
    """Print the ratios of speeds; returns the tokens per second of the pipeline's own settings."""
    found = speeds(data)
    tokens = WINDOWS * WINDOW_TOKENS
    for name, title in (("same", "the same network"), ("own", "tied, grouped output, without dropout")):
        ratio = statistics.median(other / mine for mine, other in zip(found[name], found["recipe"], strict=True))
        mine, other = (tokens / statistics.median(found[side]) for side in (name, "recipe"))
        print(
            f"training a word model (LSTM 2x200, batch 20, window 35), {title}, against word_language_model: "
            f"{mine:,.0f} tokens/s, baseline {other:,.0f}; {ratio:.2f} times as fast",
            flush=True,
        )
    return tokens / statistics.median(found["own"])


def compare_perplexity(data: Path, seconds: float, speed: float) -> None:
    """Train ours for about `seconds`, and the recipe for exactly as long."""
    with tempfile.TemporaryDirectory() as folder:
        own, weights = Path(folder) / "own", Path(folder) / "recipe.pt"
        planned = max(WINDOW_TOKENS, int(speed * seconds * (1 - RESERVE)))
        spent, tokens = train("word_pipeline.py", str(data), "own", str(planned), str(own))
        _, baseline_tokens = train("word_recipe.py", str(data), str(spent), str(weights))
        mine = perplexity(networks.load(own)[0], data)
        other = perplexity(as_network(torch.load(weights, weights_only=True)), data)
    print(
        f"validation perplexity after {spent:.0f} s of training: {mine:.1f} ({tokens:,} tokens), "
        f"baseline {other:.1f} ({baseline_tokens:,} tokens)",
        flush=True,
    )


def measure(data: Path, seconds: float) -> None:
    """Run both comparisons, or print how to get the data."""
    if not (data / "facts.json").is_file():
        print(f"training a word model: not measured without {data}; run `dvc repro prepare@ptb` in benchmarks/")
        return
    compare_perplexity(data, seconds, compare_speed(data))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each training; default: {SECONDS:g}")
    parser.add_argument("--data", type=Path, default=DATA, help=f"prepared Penn Treebank; default: {DATA}")
    given = parser.parse_args()
    measure(given.data, given.seconds)
