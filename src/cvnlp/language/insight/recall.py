"""The recall task: a small network learns to repeat, at the end of a sequence of noise, the one symbol in it.

The symbol is at a random place, at most TRAINED_STEPS before the end in training; the test has longer distances, too.
It shows how long each kind of cell can store information (compare the copy task of Arjovsky et al. 2016). Each of SEEDS
is trained until it has learned the task, or for a given number of steps.
"""

from collections import deque

import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.language.models import Recurrent
from cvnlp.launch.devices import device
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
SEEDS = (1, 2, 3)
LEARNED, LOSSES = 0.01, 20  # nats, of which guessing costs 2.1: the mean loss of so many steps ends the training
DECAY = 0.3  # share of the steps, the last ones, in which the learning rate falls linearly to 0


def recall(kind: type[Recurrent], *, steps: int) -> pd.DataFrame:
    """Train with every seed, for at most so many steps; returns the `accuracy` at each distance `steps_back`.

    It is the mean of the `seeds`, with its standard deviation `std`. Further columns are constant: `trained` (largest
    distance in training), `chance` (accuracy of a random guess), `converged` (how many seeds learned the task), and
    `most_steps` that a seed was trained.
    """
    found = [_recall_of_seed(kind, steps, seed) for seed in SEEDS]
    table = pd.DataFrame([accuracies for accuracies, _ in found])
    lengths = [length for _, length in found]
    constant = {"trained": TRAINED_STEPS, "chance": 1 / SYMBOLS, "seeds": len(SEEDS), "most_steps": max(lengths)}
    rows = {"steps_back": TESTED_STEPS, "accuracy": table.mean().to_numpy(), "std": table.std().to_numpy()}
    return pd.DataFrame(rows).assign(**constant, converged=sum(length < steps for length in lengths))


def _recall_of_seed(kind: type[Recurrent], steps: int, seed: int) -> tuple[dict[int, float], int]:
    """Accuracy by distance, and the number of training steps."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        network = kind(TextFormat(vocabulary_size=QUERY + 1), OPTIONS[kind.cell]).to(device())
        trained = _train(network, steps, generator)
    accuracies = {}
    for distance in TESTED_STEPS:
        sequences, symbols = make_sequences(torch.full((TEST_SIZE,), distance), distance, generator)
        with torch.inference_mode():
            correct = network.logits(_last_outputs(network, sequences)).argmax(2) == symbols
        accuracies[distance] = correct.double().mean().item()
    return accuracies, trained


def make_sequences(distances: Tensor, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences (N, length + 1) that end with the query, and their symbols (N, 1), which are `distances` before it."""
    count = len(distances)
    sequences = torch.randint(SYMBOLS, QUERY, (count, length + 1), generator=generator)
    symbols = torch.randint(0, SYMBOLS, (count, 1), generator=generator)
    sequences[:, -1] = QUERY
    return sequences.scatter(1, length - distances[:, None], symbols).to(device()), symbols.to(device())


def _train(network: Recurrent, steps: int, generator: torch.Generator) -> int:
    """Train until the mean loss of some steps is below LEARNED, at most `steps`; returns the number of steps."""
    losses: deque[float] = deque(maxlen=LOSSES)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATES[network.cell], fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (steps - step) / (DECAY * steps)))
    for step in range(steps):
        distances = torch.randint(1, TRAINED_STEPS + 1, (BATCH_SIZE,), generator=generator)
        sequences, symbols = make_sequences(distances, TRAINED_STEPS, generator)
        optimiser.zero_grad()
        loss = network.output.nats(_last_outputs(network, sequences), symbols).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) == LOSSES and sum(losses) / LOSSES < LEARNED:
            return step + 1
    return steps


def _last_outputs(network: Recurrent, sequences: Tensor) -> Tensor:
    """Outputs of the last layer at the query: (N, 1, hidden)."""
    return network.hidden(sequences)[0][:, -1:]
