"""Nats per token: equal to the cross-entropy of a network that reads the whole text in one step."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.language.inference.scoring import next_token_nats, text_nats, token_nats
from cvnlp.language.models import MODELS, Network, Recurrent
from cvnlp.launch.devices import device
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY, START = 11, 3


def make_network(name: str = "lstm", **options: Any) -> Recurrent:
    torch.manual_seed(0)
    network = language_model(name, VOCABULARY, embedding_size=8, hidden_size=16, initial_range=0.8, **options)
    return network.to(device()).eval()


def make_text(rows: int = 1, length: int = 100) -> tuple[Tensor, Tensor]:
    tokens = torch.from_numpy(np.random.default_rng(1).integers(0, VOCABULARY, (rows, length + 1)))
    return tokens[:, :-1], tokens[:, 1:]


@torch.no_grad()
def in_one_step(network: Network, inputs: Tensor, targets: Tensor) -> np.ndarray:
    logits, _ = network(inputs.to(device()))
    return F.cross_entropy(logits.cpu().transpose(1, 2), targets, reduction="none").numpy()


@pytest.mark.parametrize("window", [1, 3, 7, 99, 100, 101, 1000])
@pytest.mark.parametrize("output", ["plain", "chunked", "grouped", "adaptive"])
@pytest.mark.parametrize("name", RECURRENT)
def test_window_does_not_change_the_nats(name: str, output: str, window: int) -> None:
    network, (inputs, targets) = make_network(name, output=output), make_text()
    nats = token_nats(network, inputs, targets, window=window)
    assert nats.shape == (1, 100) and nats.dtype == torch.float32
    assert nats.numpy() == pytest.approx(in_one_step(network, inputs, targets), abs=1e-5)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 9])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_row_is_read_from_a_zero_state(name: str, batch_size: int | None) -> None:
    network = language_model(name, VOCABULARY).to(device()).eval()
    inputs, targets = make_text(rows=3, length=20)
    nats = token_nats(network, inputs, targets, window=7, batch_size=batch_size)
    assert nats.numpy() == pytest.approx(in_one_step(network, inputs, targets), abs=1e-5)


def test_padding_costs_nothing() -> None:
    inputs, targets = make_text(rows=2, length=6)
    targets = targets.clone()
    targets[1, 4:] = -100
    nats = token_nats(make_network(), inputs, targets)
    assert (nats == 0).tolist() == [[False] * 6, [False] * 4 + [True] * 2]


@pytest.mark.parametrize("name", RECURRENT)
def test_text_is_scored_from_the_start_token_on(name: str) -> None:
    network, tokens = make_network(name), make_text()[0][0].numpy().astype(np.uint16)
    targets = torch.from_numpy(tokens.astype(np.int64))[None]
    inputs = torch.cat([torch.tensor([[START]]), targets[:, :-1]], dim=1)
    nats = text_nats(network, tokens, START)
    assert nats.shape == (100,) and nats.dtype == np.float32
    assert nats == pytest.approx(in_one_step(network, inputs, targets)[0], abs=1e-5)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_next_token_nats_are_those_of_the_last_position(name: str) -> None:
    network = language_model(name, VOCABULARY).to(device()).eval()
    inputs, targets = make_text(rows=4, length=12)
    nats = next_token_nats(network, inputs.to(device()), targets[:, -1].to(device()))
    assert nats.cpu().numpy() == pytest.approx(in_one_step(network, inputs, targets)[:, -1], abs=1e-5)
