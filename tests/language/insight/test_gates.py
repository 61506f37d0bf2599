"""Every kind of cell unrolled step by step, against torch's fused layers."""

import pytest
import torch
from torch import nn

from cvnlp.language.insight.gates import GATES, STEPS, layer_states, mean_gates, unroll
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.launch.devices import device
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
EXPECTED = {"rnn": set(), "gru": {"reset", "update"}, "lstm": {"input", "forget", "output"}}


def build(name: str) -> Recurrent:
    torch.manual_seed(0)
    return language_model(name, 11, embedding_size=6, hidden_size=8, layers=2, initial_range=0.8).to(device()).eval()


def make_tokens(length: int = 13) -> torch.Tensor:
    return torch.randint(0, 11, (5, length), generator=torch.Generator().manual_seed(1)).to(device())


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.__name__)
def test_unrolled_steps_equal_the_fused_layer(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    layer = kind(4, 7, batch_first=True).double()
    values = torch.randn(3, 20, 4, dtype=torch.float64)
    expected, state = layer(values)
    parts = list(unroll(layer, values))
    torch.testing.assert_close(torch.stack([step["hidden"] for step in parts], dim=1), expected)
    if kind is nn.LSTM:
        torch.testing.assert_close(parts[-1]["memory"], state[1][0])


def test_unrolled_relu_equals_the_fused_layer() -> None:
    torch.manual_seed(0)
    layer = nn.RNN(4, 7, batch_first=True, nonlinearity="relu")
    values = torch.randn(3, 9, 4)
    torch.testing.assert_close(torch.stack([step["hidden"] for step in unroll(layer, values)], 1), layer(values)[0])


def test_every_kind_of_cell_of_the_models_can_be_unrolled() -> None:
    assert {MODELS[name].cell for name in RECURRENT} <= set(STEPS)


@pytest.mark.parametrize("name", RECURRENT)
def test_states_of_all_layers_equal_those_of_the_network(name: str) -> None:
    network, tokens = build(name), make_tokens()
    found = layer_states(network, tokens)
    with torch.no_grad():
        outputs, states = network.hidden(tokens)
    carried = [state[1] if isinstance(state, tuple) else state for state in states]
    for layer, last in zip(found, carried, strict=True):
        torch.testing.assert_close(layer[:, -1], last[0])
    if name != "lstm":
        torch.testing.assert_close(found[-1], outputs)


@pytest.mark.parametrize("name", RECURRENT)
def test_gates_belong_to_the_cell_and_do_not_depend_on_later_tokens(name: str) -> None:
    network, tokens = build(name), make_tokens()
    gates = mean_gates(network, tokens)
    assert set(gates) == EXPECTED[name] and set(gates) <= set(GATES)
    for gate, values in gates.items():
        assert values.shape == tokens.shape and values.min() > 0 and values.max() < 1
        torch.testing.assert_close(mean_gates(network, tokens[:, :6])[gate], values[:, :6])


def test_gate_with_a_large_bias_is_open() -> None:
    network = build("lstm")
    with torch.no_grad():
        network.recurrent[1].bias_ih_l0[8:16] = 50.0  # torch's order: input, forget, cell, output
    gates = mean_gates(network, make_tokens())
    assert torch.allclose(gates["forget"], torch.ones_like(gates["forget"]))
    assert gates["input"].max() < 0.99
