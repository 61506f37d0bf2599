"""The usual recipe for characters: the settings of char-rnn (Karpathy 2015), in plain torch.

An LSTM of 2 x 128, weights uniform in +-0.08; 50 columns, windows of 50, RMSprop with a learning rate of 0.002 and a
decay of 0.95, the learning rate multiplied by 0.97 after every pass from the tenth on, each gradient clipped at 5. It
is validated after every VALIDATED_EVERY characters.

    python -m bench.character_recipe DATA SEED SECONDS LEVEL
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.levels import Reached, first_times, reached
from bench.processes import print_result
from bench.setting import PROCESSORS

SIZE, LAYERS, COLUMNS, WINDOW = 128, 2, 50, 50
RATE, ALPHA, DECAY, FIRST_DECAY, CLIP, INITIAL_RANGE = 0.002, 0.95, 0.97, 10, 5.0, 0.08
VALIDATED_EVERY = 400_000  # characters

State = tuple[Tensor, Tensor]


class Model(nn.Module):
    """Windows (B, T) and a state -> logits (B * T, characters) and the new state."""

    def __init__(self, characters: int, size: int = SIZE) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, size)
        self.rnn = nn.LSTM(size, size, LAYERS, batch_first=True)
        self.output = nn.Linear(size, characters)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -INITIAL_RANGE, INITIAL_RANGE)

    def forward(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        outputs, state = self.rnn(self.embedding(inputs), state)
        return self.output(outputs).flatten(0, 1), state


def in_columns(tokens: np.ndarray, columns: int = COLUMNS) -> Tensor:
    """Arrange a text in columns (columns, length); the remainder is dropped."""
    length = len(tokens) // columns
    return torch.from_numpy(tokens[: length * columns].astype(np.int64)).view(columns, length)


def loss(model: Model, data: Tensor, place: int, state: State | None) -> tuple[Tensor, State]:
    """Of the window at `place`, a mean in nats per character."""
    end = min(place + WINDOW, data.shape[1] - 1)
    if state is not None:
        state = state[0].detach(), state[1].detach()
    logits, state = model(data[:, place:end], state)
    return nn.functional.cross_entropy(logits, data[:, place + 1 : end + 1].flatten()), state


@torch.no_grad()
def validate(model: Model, data: Tensor) -> float:
    total, state = 0.0, None
    for place in range(0, data.shape[1] - 1, WINDOW):
        nats, state = loss(model, data, place, state)
        total += float(nats) * min(WINDOW, data.shape[1] - 1 - place)
    return total / (data.shape[1] - 1)


def train(folder: Path, *, seed: int, seconds: float, level: float) -> Reached:
    """Train until the level is reached, or for so many seconds."""
    torch.manual_seed(seed)
    data, validation = (in_columns(np.load(folder / f"{split}.npy")) for split in ("train", "validation"))
    model = Model(len(json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))))
    optimiser = torch.optim.RMSprop(model.parameters(), lr=RATE, alpha=ALPHA)
    marks, scores, spent, place, passes = [0.0], [validate(model, validation)], 0.0, 0, 0
    state: State | None = None
    while spent < seconds and not reached(first_times(scores, marks, [level], higher=False), [level]):
        started = time.perf_counter()
        for _ in range(max(1, VALIDATED_EVERY // (COLUMNS * WINDOW))):
            optimiser.zero_grad()
            nats, state = loss(model, data, place, state)
            nats.backward()
            nn.utils.clip_grad_value_(model.parameters(), CLIP)
            optimiser.step()
            place += WINDOW
            if place >= data.shape[1] - 1:
                place, state, passes = 0, None, passes + 1
                optimiser.param_groups[0]["lr"] = RATE * DECAY ** max(0, passes + 1 - FIRST_DECAY)
        spent += time.perf_counter() - started
        marks.append(spent)
        scores.append(validate(model, validation))
    return first_times(scores, marks, [level], higher=False)


if __name__ == "__main__":
    data, seed, seconds, level = sys.argv[1:]
    torch.set_num_threads(PROCESSORS)
    print_result(train(Path(data), seed=int(seed), seconds=float(seconds), level=float(level)).model_dump())
