"""Dropout at every place: masks for a whole window, whole words, recurrent matrices."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.language.models import MODELS, Recurrent
from cvnlp.language.models.dropout import Dropout, DroppedEmbedding, drop_weights
from cvnlp.params.language_networks import DropoutRates, LstmOptions
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY = 11


def build(name: str, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return language_model(name, VOCABULARY, embedding_size=6, hidden_size=6, layers=2, **options)


def make_tokens() -> Tensor:
    return torch.randint(0, VOCABULARY, (4, 9), generator=torch.Generator().manual_seed(1))


def test_one_rate_applies_to_input_between_and_output() -> None:
    expected = {"input": 0.3, "between": 0.3, "output": 0.3, "embedding": 0.0, "weight": 0.0}
    assert LstmOptions(dropout=0.3).dropout_rates.model_dump() == expected
    assert LstmOptions(dropout={"weight": 0.5}).dropout_rates == DropoutRates(weight=0.5)


@pytest.mark.parametrize("locked", [False, True])
def test_kept_values_are_scaled_to_preserve_the_mean(locked: bool) -> None:
    torch.manual_seed(1)
    found = Dropout(0.25, locked=locked)(torch.ones(200, 3, 400))
    assert found.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert found.mean().item() == pytest.approx(1.0, abs=0.01)


def test_a_locked_mask_is_the_same_at_all_steps_but_not_for_all_texts() -> None:
    torch.manual_seed(1)
    found = Dropout(0.5, locked=True)(torch.ones(4, 9, 50))
    assert (found == found[:, :1]).all()
    assert not (found[0] == found[1]).all()
    torch.manual_seed(1)
    assert torch.equal(found[:, :1], F.dropout(torch.ones(4, 1, 50), 0.5))
    assert not (Dropout(0.5, locked=False)(torch.ones(4, 9, 50)) == found).all()


@pytest.mark.parametrize("locked", [False, True])
def test_nothing_is_dropped_at_rate_0_or_in_evaluation(locked: bool) -> None:
    values, state = torch.ones(4, 9, 50), torch.random.get_rng_state()
    assert torch.equal(Dropout(0.0, locked=locked)(values), values)
    assert torch.equal(Dropout(0.5, locked=locked).eval()(values), values)
    if locked:
        assert torch.equal(torch.random.get_rng_state(), state)


def test_a_dropped_word_is_dropped_everywhere() -> None:
    torch.manual_seed(2)
    layer, tokens = DroppedEmbedding(VOCABULARY, 5, rate=0.4), make_tokens()
    found, kept = layer(tokens), layer.weight[tokens]
    dropped = {int(token): bool((found[tokens == token] == 0).all()) for token in tokens.unique()}
    assert {*dropped.values()} == {True, False}
    factors = torch.tensor([0.0 if dropped[int(token)] else 1 / 0.6 for token in tokens.flatten()]).view(4, 9, 1)
    assert torch.allclose(found, factors * kept)
    assert torch.equal(layer.eval()(tokens), kept)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_same_recurrent_weights_are_dropped_at_all_steps(name: str) -> None:
    """Outputs and gradients equal those of a layer whose matrix has these zeros; dropped weights have no gradient."""
    layer: Any = build(name).recurrent[0]
    values = torch.randn(4, 9, 6, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(5)
    found, state = torch.func.functional_call(layer, drop_weights(layer, 0.5), (values, None))
    torch.manual_seed(5)
    mask = F.dropout(torch.ones_like(layer.weight_hh_l0), 0.5)
    twin = type(layer)(6, 6, batch_first=True)
    twin.load_state_dict(layer.state_dict())
    with torch.no_grad():
        twin.weight_hh_l0.mul_(mask)
    expected, expected_state = twin(values)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(torch.cat([*state]), torch.cat([*expected_state]), atol=1e-6)
    found.square().sum().backward()
    expected.square().sum().backward()
    assert torch.allclose(layer.weight_hh_l0.grad, twin.weight_hh_l0.grad * mask, atol=1e-5)
    assert torch.allclose(layer.weight_ih_l0.grad, twin.weight_ih_l0.grad, atol=1e-5)
    # and the layer itself has its matrix back
    layer.eval()
    assert not torch.allclose(layer(values)[0], expected, atol=1e-3)


@pytest.mark.parametrize("place", DropoutRates.model_fields)
@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_dropout_is_active_only_in_training_and_follows_the_seed(name: str, locked: bool, place: str) -> None:
    network, plain = build(name, dropout={place: 0.5}, locked=locked), build(name).eval()
    tokens = make_tokens()
    torch.manual_seed(1)
    first = network(tokens)[0]
    assert not torch.equal(network(tokens)[0], first)
    torch.manual_seed(1)
    assert torch.equal(network(tokens)[0], first)
    assert torch.equal(network.eval()(tokens)[0], plain(tokens)[0])


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_dropout_is_applied_at_the_documented_places(name: str, locked: bool) -> None:
    """Compared with a computation layer by layer, with masks from the same random numbers."""
    network: Any = build(name, dropout={"input": 0.2, "between": 0.3, "output": 0.4}, locked=locked)
    tokens = make_tokens()
    torch.manual_seed(8)
    found, _ = network(tokens)

    def drop(values: Tensor, share: float) -> Tensor:
        if locked:
            return values * F.dropout(torch.ones(len(values), 1, values.shape[2]), share)
        return F.dropout(values, share)

    torch.manual_seed(8)
    values, _ = network.recurrent[0](drop(network.embedding.weight[tokens], 0.2))
    values, _ = network.recurrent[1](drop(values, 0.3))
    assert torch.allclose(found, network.output(drop(values, 0.4)), atol=1e-6)


@pytest.mark.parametrize("name", RECURRENT)
def test_dropped_weights_are_still_learned(name: str) -> None:
    network = build(name, dropout={"weight": 0.5})
    before = [layer.weight_hh_l0.detach().clone() for layer in network.recurrent]
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    network.nats(make_tokens(), make_tokens())[0].sum().backward()
    optimiser.step()
    for layer, old in zip(network.recurrent, before, strict=True):
        moved = layer.weight_hh_l0 != old
        assert 0.2 < moved.float().mean() < 0.8
        assert isinstance(layer.weight_hh_l0, nn.Parameter)
