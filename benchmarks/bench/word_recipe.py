"""The usual recipe for words: word_language_model of pytorch/examples, written from its published settings.

An LSTM of 2 x 200 with dropout 0.2; embedding and decoder are separate and uniform in +-0.1. 20 columns, windows of 35,
plain SGD with a learning rate of 20, divided by 4 after every epoch whose validation loss is not the best; gradients
are clipped at 0.25. Plain torch without code of this project, in a process of its own.

    python -m bench.word_recipe rounds DATA ROUNDS WINDOWS
    python -m bench.word_recipe train DATA SECONDS WEIGHTS

`rounds` trains on WINDOWS windows for each line of standard input, ROUNDS in all, and prints the seconds. `train`
trains for SECONDS, prints seconds and tokens, and saves the weights.
"""

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SIZE, LAYERS, DROPOUT, INITIAL_RANGE = 200, 2, 0.2, 0.1
COLUMNS, VALIDATION_COLUMNS, WINDOW = 20, 10, 35
RATE, ANNEALING, CLIP, SEED = 20.0, 4.0, 0.25, 1111

State = tuple[Tensor, Tensor]


class Model(nn.Module):
    """Windows (T, B) and a state -> log-probabilities (T * B, words) and the new state."""

    def __init__(self, words: int, size: int = SIZE) -> None:
        super().__init__()
        self.drop = nn.Dropout(DROPOUT)
        self.encoder = nn.Embedding(words, size)
        self.rnn = nn.LSTM(size, size, LAYERS, dropout=DROPOUT)
        self.decoder = nn.Linear(size, words)
        nn.init.uniform_(self.encoder.weight, -INITIAL_RANGE, INITIAL_RANGE)
        nn.init.uniform_(self.decoder.weight, -INITIAL_RANGE, INITIAL_RANGE)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, state = self.rnn(self.drop(self.encoder(inputs)), state)
        logits = self.decoder(self.drop(outputs)).view(-1, self.decoder.out_features)
        return torch.log_softmax(logits, dim=1), state

    def first_state(self, columns: int) -> State:
        zeros = torch.zeros(LAYERS, columns, self.rnn.hidden_size)
        return zeros, zeros.clone()


def in_columns(tokens: np.ndarray, columns: int) -> Tensor:
    """Arrange a text in columns (length, columns); the remainder is dropped."""
    length = len(tokens) // columns
    return torch.from_numpy(tokens[: length * columns].astype(np.int64)).view(columns, length).t().contiguous()


def windows(data: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(data) - 1, WINDOW):
        end = min(start + WINDOW, len(data) - 1)
        yield data[start:end], data[start + 1 : end + 1].flatten()


def step(model: Model, inputs: Tensor, targets: Tensor, state: State, rate: float) -> State:
    """One forward and backward pass, then a step of plain SGD."""
    model.zero_grad()
    found, state = model(inputs, (state[0].detach(), state[1].detach()))
    nn.functional.nll_loss(found, targets).backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.data.add_(parameter.grad, alpha=-rate)
    return state


@torch.no_grad()
def validate(model: Model, data: Tensor) -> float:
    model.eval()
    total, state = 0.0, model.first_state(VALIDATION_COLUMNS)
    for inputs, targets in windows(data):
        found, state = model(inputs, state)
        total += len(inputs) * nn.functional.nll_loss(found, targets).item()
    model.train()
    return total / (len(data) - 1)


class Training:
    """The recipe, one window at a time: `advance`."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(SEED)
        self.train, self.validation = (
            in_columns(np.load(folder / f"{split}.npy"), columns)
            for split, columns in (("train", COLUMNS), ("validation", VALIDATION_COLUMNS))
        )
        words = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        self.model, self.rate, self.best, self.tokens = Model(len(words)), RATE, math.inf, 0
        self.state, self.left = self.model.first_state(COLUMNS), windows(self.train)

    def advance(self) -> None:
        """Train on one window; at the end of an epoch, validate and start again from the beginning."""
        if (window := next(self.left, None)) is None:
            self._end_epoch()
            window = next(self.left)
        self.state = step(self.model, *window, self.state, self.rate)
        self.tokens += window[1].numel()

    def _end_epoch(self) -> None:
        loss = validate(self.model, self.validation)
        self.rate = self.rate if loss < self.best else self.rate / ANNEALING
        self.best = min(self.best, loss)
        self.state, self.left = self.model.first_state(COLUMNS), windows(self.train)


def run_rounds(training: Training, rounds: int, count: int) -> None:
    for _ in range(rounds):
        sys.stdin.readline()
        started = time.perf_counter()
        for _ in range(count):
            training.advance()
        print(time.perf_counter() - started, flush=True)


def run_for(training: Training, seconds: float, weights: Path) -> None:
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        training.advance()
    print(time.perf_counter() - started, training.tokens, flush=True)
    torch.save(training.model.state_dict(), weights)


if __name__ == "__main__":
    what, data, amount, last = sys.argv[1:]
    training = Training(Path(data))
    if what == "rounds":
        run_rounds(training, int(amount), int(last))
    else:
        run_for(training, float(amount), Path(last))
