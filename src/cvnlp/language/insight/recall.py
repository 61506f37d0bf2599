"""Remembering one symbol: a small network of a run's kind of cell learns to name, at the end, what it read long before.

A text is noise with one symbol at a place that chance chooses, and the question at the end; the answer is the symbol.
In training it stands at most TRAINED steps back; asked is also further back, which nobody has trained.
"""

import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.language.models import Recurrent
from cvnlp.networks import device
from cvnlp.params.language_networks import GruOptions, LstmOptions, RecurrentOptions, RnnOptions
from cvnlp.params.network_config import TextFormat

SYMBOLS, NOISE = 8, 8  # kinds of each; the number after them all is the question
QUESTION = SYMBOLS + NOISE
TRAINED = 20  # steps back at most
ASKED = (1, 5, 10, 20, 40, 80, 160)
TEXTS, TESTED = 32, 256  # in a step of training; at each distance of the test
OPTIONS: dict[type[nn.RNNBase], RecurrentOptions] = {
    nn.RNN: RnnOptions(embedding_size=16, hidden_size=64),
    nn.GRU: GruOptions(embedding_size=16, hidden_size=64),
    nn.LSTM: LstmOptions(embedding_size=16, hidden_size=64),
}
# each kind's best of 0.0005 to 0.02
LEARNING_RATES = {nn.RNN: 0.002, nn.GRU: 0.01, nn.LSTM: 0.01}
FALL = 0.3  # share of the steps in which the learning rate goes down to 0


def recall(kind: type[Recurrent], *, steps: int) -> pd.DataFrame:
    """The share of symbols named rightly (`accuracy`) so many `steps_back`, after so many steps of training.

    Beside it how far back they stood in training at most (`trained`), and a guess's share (`chance`).
    """
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(1)
        network = kind(TextFormat(vocabulary_size=QUESTION + 1), OPTIONS[kind.cell]).to(device())
        _train(network, steps, generator)
    rows = []
    for distance in ASKED:
        texts, answers = make_texts(torch.full((TESTED,), distance), distance, generator)
        with torch.inference_mode():
            right = network.logits(_last(network, texts)).argmax(2) == answers
        rows.append({"steps_back": distance, "accuracy": right.double().mean().item()})
    return pd.DataFrame(rows).assign(trained=TRAINED, chance=1 / SYMBOLS)


def make_texts(distances: Tensor, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Texts (N, length + 1) that end with the question, and the symbols (N, 1) that stand so many steps before it."""
    count = len(distances)
    texts = torch.randint(SYMBOLS, QUESTION, (count, length + 1), generator=generator)
    answers = torch.randint(0, SYMBOLS, (count, 1), generator=generator)
    texts[:, -1] = QUESTION
    return texts.scatter(1, length - distances[:, None], answers).to(device()), answers.to(device())


def _train(network: Recurrent, steps: int, generator: torch.Generator) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATES[network.cell])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (steps - step) / (FALL * steps)))
    for _ in range(steps):
        distances = torch.randint(1, TRAINED + 1, (TEXTS,), generator=generator)
        texts, answers = make_texts(distances, TRAINED, generator)
        optimiser.zero_grad()
        network.output.nats(_last(network, texts), answers).mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def _last(network: Recurrent, texts: Tensor) -> Tensor:
    """What the last layer says at the question (N, 1, hidden)."""
    return network.hidden(texts)[0][:, -1:]
