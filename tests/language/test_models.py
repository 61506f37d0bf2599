"""Every recurrent network in the table MODELS: shapes, state, gradients, learning, and a cell loop as reference."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.language.models import MODELS, Recurrent
from cvnlp.language.models.recurrent import Lstm, Rnn

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY = 11


def build(name: str, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return MODELS[name](VOCABULARY, **options)


def make_tokens(count: int = 4, length: int = 9) -> Tensor:
    return torch.randint(0, VOCABULARY, (count, length), generator=torch.Generator().manual_seed(1))


def parts_of(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def loss_of(network: Recurrent, tokens: Tensor) -> Tensor:
    logits, _ = network(tokens[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@pytest.mark.parametrize("options", [{}, {"layers": 2}, {"embedding_size": 8, "hidden_size": 8, "tied": True}])
@pytest.mark.parametrize("name", RECURRENT)
def test_every_token_gets_logits_for_the_next(name: str, options: dict[str, Any]) -> None:
    network = build(name, **options)
    logits, state = network(make_tokens())
    assert logits.shape == (4, 9, VOCABULARY)
    assert torch.isfinite(logits).all()
    expected = (options.get("layers", 1), 4, options.get("hidden_size", 256))
    assert all(part.shape == expected for part in parts_of(state))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cut", [1, 4, 8])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_text_in_two_windows_is_the_text_at_once(name: str, cut: int, layers: int) -> None:
    network = build(name, layers=layers).eval()
    tokens = make_tokens()
    with torch.no_grad():
        whole, end = network(tokens)
        first, state = network(tokens[:, :cut])
        second, state = network(tokens[:, cut:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-5)
    for mine, expected in zip(parts_of(state), parts_of(end), strict=True):
        assert torch.allclose(mine, expected, atol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_future_is_not_read(name: str) -> None:
    network = build(name).eval()
    tokens = make_tokens()
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % VOCABULARY
    with torch.no_grad():
        before, after = network(tokens)[0], network(changed)[0]
    assert torch.equal(before[:, :5], after[:, :5])
    assert (before[:, 5:] != after[:, 5:]).any(2).all()


@pytest.mark.parametrize("name", RECURRENT)
def test_texts_of_a_batch_do_not_mix(name: str) -> None:
    network = build(name).eval()
    tokens = make_tokens()
    with torch.no_grad():
        alone = torch.cat([network(text[None])[0] for text in tokens])
        assert torch.allclose(network(tokens)[0], alone, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"layers": 2}, {"embedding_size": 8, "hidden_size": 8, "tied": True}])
@pytest.mark.parametrize("name", RECURRENT)
def test_gradients_reach_every_parameter(name: str, options: dict[str, Any]) -> None:
    network = build(name, **options)
    loss_of(network, make_tokens()).backward()
    for path, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), path
        assert parameter.grad.any(), path


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_one_batch_is_learnt_by_heart(name: str, tied: bool) -> None:
    network = build(name, embedding_size=32, hidden_size=32, tied=tied)
    tokens = make_tokens()
    tokens[:, 0] = torch.arange(len(tokens))  # texts that begin alike could not be told apart
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.02)
    for _ in range(150):
        loss = loss_of(network, tokens)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


@pytest.mark.parametrize("name", RECURRENT)
def test_dropout_acts_in_training_alone(name: str) -> None:
    network = build(name, dropout=0.5, layers=2)
    tokens = make_tokens()
    assert not torch.equal(network(tokens)[0], network(tokens)[0])
    network.eval()
    assert torch.equal(network(tokens)[0], network(tokens)[0])


@pytest.mark.parametrize("name", RECURRENT)
def test_tied_weights_share_their_memory(name: str) -> None:
    network = build(name, embedding_size=8, hidden_size=8, tied=True)
    assert network.output.weight.data_ptr() == network.embedding.weight.data_ptr()
    with torch.no_grad():
        network.embedding.weight.fill_(0.5)
    assert (network.output.weight == 0.5).all()


@pytest.mark.parametrize("name", RECURRENT)
def test_tied_weights_of_unequal_sizes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"model\.tied needs embedding_size \(8\) = hidden_size \(9\)"):
        build(name, embedding_size=8, hidden_size=9, tied=True)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_first_weights_are_within_the_initial_range(name: str, tied: bool) -> None:
    network = build(name, embedding_size=16, hidden_size=16, initial_range=0.05, tied=tied)
    for path, parameter in network.named_parameters():
        if "bias" not in path and "weight_hh" not in path:  # those a kind of cell may choose for itself
            assert 0.04 < parameter.abs().max() <= 0.05, path


@pytest.mark.parametrize("name", RECURRENT)
def test_embedding_scale_multiplies_what_is_read_and_nothing_else(name: str) -> None:
    options = {"embedding_size": 8, "hidden_size": 8, "tied": True}
    plain, scaled = build(name, **options), build(name, **options, embedding_scale=3.0)
    tokens = make_tokens()
    assert torch.equal(scaled.embed(tokens), 3 * plain.embed(tokens))
    assert torch.equal(scaled.output.weight, plain.output.weight)
    assert torch.equal(scaled(tokens)[0], scaled.forward_embedded(scaled.embed(tokens))[0])


@pytest.mark.parametrize("initial_range", [None, 0.1])
def test_the_two_biases_of_the_forget_gate_add_up_to_1(initial_range: float | None) -> None:
    recurrent = build("lstm", hidden_size=6, layers=2, initial_range=initial_range, forget_bias=1.0).recurrent
    for layer in range(2):
        biases = getattr(recurrent, f"bias_ih_l{layer}") + getattr(recurrent, f"bias_hh_l{layer}")
        enter, forget, candidate, leave = biases.chunk(4)
        assert torch.equal(forget, torch.ones(6))
        assert not any((gate == 1).any() for gate in (enter, candidate, leave))


@pytest.mark.parametrize("initial_range", [None, 0.1])
def test_the_first_recurrence_of_the_rnn_keeps_the_length_of_a_state(initial_range: float | None) -> None:
    recurrent = build("rnn", hidden_size=6, layers=2, initial_range=initial_range).recurrent
    for layer in range(2):
        weight = getattr(recurrent, f"weight_hh_l{layer}")
        assert torch.allclose(weight @ weight.T, torch.eye(6), atol=1e-5)


def make_small(network: type[Recurrent], layers: int) -> Recurrent:
    torch.manual_seed(5)
    return network(VOCABULARY, embedding_size=3, hidden_size=4, layers=layers, embedding_scale=2.0).double().eval()


@pytest.mark.parametrize("layers", [1, 2])
def test_rnn_is_the_loop_of_its_formula(layers: int) -> None:
    network = make_small(Rnn, layers)
    tokens = make_tokens(count=2, length=6)
    weights = dict(network.recurrent.named_parameters())
    hidden = [torch.zeros(2, 4, dtype=torch.float64) for _ in range(layers)]
    for step in range(6):
        below = network.embedding.weight[tokens[:, step]] * 2.0
        for layer in range(layers):
            below = hidden[layer] = torch.tanh(
                below @ weights[f"weight_ih_l{layer}"].T
                + weights[f"bias_ih_l{layer}"]
                + hidden[layer] @ weights[f"weight_hh_l{layer}"].T
                + weights[f"bias_hh_l{layer}"]
            )
        expected = below @ network.output.weight.T + network.output.bias
        assert torch.allclose(network(tokens)[0][:, step], expected, atol=1e-12)


@pytest.mark.parametrize("layers", [1, 2])
def test_lstm_is_the_loop_of_its_formula(layers: int) -> None:
    network = make_small(Lstm, layers)
    tokens = make_tokens(count=2, length=6)
    weights = dict(network.recurrent.named_parameters())
    hidden = [torch.zeros(2, 4, dtype=torch.float64) for _ in range(layers)]
    memory = [torch.zeros(2, 4, dtype=torch.float64) for _ in range(layers)]
    for step in range(6):
        below = network.embedding.weight[tokens[:, step]] * 2.0
        for layer in range(layers):
            gates = (
                below @ weights[f"weight_ih_l{layer}"].T
                + weights[f"bias_ih_l{layer}"]
                + hidden[layer] @ weights[f"weight_hh_l{layer}"].T
                + weights[f"bias_hh_l{layer}"]
            )
            enter, forget, candidate, leave = gates.chunk(4, dim=1)
            memory[layer] = forget.sigmoid() * memory[layer] + enter.sigmoid() * candidate.tanh()
            below = hidden[layer] = leave.sigmoid() * memory[layer].tanh()
        expected = below @ network.output.weight.T + network.output.bias
        assert torch.allclose(network(tokens)[0][:, step], expected, atol=1e-12)
