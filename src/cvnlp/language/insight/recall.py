"""The recall task: a small network learns to repeat, at the end of a sequence of noise, the one symbol in it.

The symbol is at a random place, at most TRAINED_STEPS before the end in training; the test has longer distances, too.
It shows how long each kind of cell can store information (compare the copy task of Arjovsky et al. 2016).
"""

import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.language.models import Recurrent
from cvnlp.networks import device
from cvnlp.params.language_networks import GruOptions, LstmOptions, RecurrentOptions, RnnOptions
from cvnlp.params.network_config import TextFormat

SYMBOLS, NOISE = 8, 8  # kinds of tokens: symbols are numbered first, then noise
QUERY = SYMBOLS + NOISE  # the token at the end that asks for the symbol
TRAINED_STEPS = 20  # largest distance in training
TESTED_STEPS = (1, 5, 10, 20, 40, 80, 160)
BATCH_SIZE, TEST_SIZE = 32, 256  # sequences in a training step, and at each distance of the test
OPTIONS: dict[type[nn.RNNBase], RecurrentOptions] = {
    nn.RNN: RnnOptions(embedding_size=16, hidden_size=64),
    nn.GRU: GruOptions(embedding_size=16, hidden_size=64),
    nn.LSTM: LstmOptions(embedding_size=16, hidden_size=64),
}
LEARNING_RATES = {nn.RNN: 0.002, nn.GRU: 0.01, nn.LSTM: 0.01}  # the best of 0.0005 to 0.02 for each cell
DECAY = 0.3  # share of the steps, the last ones, in which the learning rate falls linearly to 0


def recall(kind: type[Recurrent], *, steps: int) -> pd.DataFrame:
    """Train for so many steps; returns the `accuracy` at each distance `steps_back`.

    The columns `trained` (largest distance in training) and `chance` (accuracy of a random guess) are constant.
    """
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(1)
        network = kind(TextFormat(vocabulary_size=QUERY + 1), OPTIONS[kind.cell]).to(device())
        _train(network, steps, generator)
    rows = []
    for distance in TESTED_STEPS:
        sequences, symbols = make_sequences(torch.full((TEST_SIZE,), distance), distance, generator)
        with torch.inference_mode():
            correct = network.logits(_last_outputs(network, sequences)).argmax(2) == symbols
        rows.append({"steps_back": distance, "accuracy": correct.double().mean().item()})
    return pd.DataFrame(rows).assign(trained=TRAINED_STEPS, chance=1 / SYMBOLS)


def make_sequences(distances: Tensor, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences (N, length + 1) that end with the query, and their symbols (N, 1), which are `distances` before it."""
    count = len(distances)
    sequences = torch.randint(SYMBOLS, QUERY, (count, length + 1), generator=generator)
    symbols = torch.randint(0, SYMBOLS, (count, 1), generator=generator)
    sequences[:, -1] = QUERY
    return sequences.scatter(1, length - distances[:, None], symbols).to(device()), symbols.to(device())


def _train(network: Recurrent, steps: int, generator: torch.Generator) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATES[network.cell])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (steps - step) / (DECAY * steps)))
    for _ in range(steps):
        distances = torch.randint(1, TRAINED_STEPS + 1, (BATCH_SIZE,), generator=generator)
        sequences, symbols = make_sequences(distances, TRAINED_STEPS, generator)
        optimiser.zero_grad()
        network.output.nats(_last_outputs(network, sequences), symbols).mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def _last_outputs(network: Recurrent, sequences: Tensor) -> Tensor:
    """Outputs of the last layer at the query: (N, 1, hidden)."""
    return network.hidden(sequences)[0][:, -1:]
