"""Multiply-adds per token, compared with counts by hand."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cvnlp.language.models import MODELS, multiply_adds
from make_networks import language_model


@pytest.mark.parametrize(("name", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
@pytest.mark.parametrize("layers", [1, 2])
def test_each_weight_of_recurrent_and_output_layers_counts_once(name: str, gates: int, layers: int) -> None:
    network = language_model(name, 11, embedding_size=3, hidden_size=5, layers=layers)
    recurrent = gates * (5 * (3 + 5) + (layers - 1) * 5 * (5 + 5))
    assert multiply_adds(network) == recurrent + 5 * 11


@pytest.mark.parametrize("options", [{"tied": True}, {"tied": False}, {"tied": True, "dropout": 0.2}])
def test_a_tied_matrix_counts_only_as_output(options: dict[str, Any]) -> None:
    network = language_model("lstm", 11, embedding_size=5, hidden_size=5, **options)
    assert multiply_adds(network) == 4 * 5 * 10 + 5 * 11


def test_the_output_layer_has_the_count_of_torch() -> None:
    """Torch counts the products of linear layers, but not those within its fused recurrent layers."""
    network = language_model("lstm", 11, embedding_size=3, hidden_size=5).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.output(torch.zeros(1, 5))
    assert multiply_adds(network) == counter.get_total_flops() // 2 + 4 * 5 * 8


def test_a_last_layer_of_another_size_is_counted() -> None:
    network = language_model("lstm", 11, embedding_size=3, hidden_size=5, layers=3, last_size=3, tied=True)
    assert multiply_adds(network) == 4 * (5 * (3 + 5) + 5 * (5 + 5) + 3 * (5 + 3)) + 3 * 11


def test_an_adaptive_output_counts_all_groups() -> None:
    """As for the whole distribution; the nats of a frequent word need fewer."""
    network = language_model("rnn", 11, embedding_size=3, hidden_size=16, output="adaptive", cutoffs=[5, 8])
    output = 16 * (5 + 2) + (16 * 4 + 4 * 3) + (16 * 1 + 1 * 3)
    assert multiply_adds(network) == 16 * (3 + 16) + output


def test_a_grouped_output_counts_all_words_and_groups() -> None:
    network = language_model("rnn", 11, embedding_size=3, hidden_size=16, output="grouped", cutoffs=[5, 8])
    assert multiply_adds(network) == 16 * (3 + 16) + 16 * (11 + 2)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_language_model_has_a_count(name: str) -> None:
    count = multiply_adds(language_model(name, 11))
    assert isinstance(count, int)
    assert count >= 0
