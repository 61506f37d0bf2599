"""Effective context length: gradients, truncated contexts and replaced prefixes, against values computed one by one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.language.insight.context import (
    MIN_NORM,
    gradient_norms,
    losses_after_replaced_prefixes,
    losses_by_context,
)
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.launch.devices import device
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))


def make_network(name: str) -> Recurrent:
    torch.manual_seed(0)
    return language_model(name, 11, embedding_size=6, hidden_size=8, initial_range=0.8).to(device()).eval()


@pytest.fixture
def excerpts() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 11, (5, 13), generator=generator).to(device())
    return tokens[:, :-1], tokens[:, -1]


@pytest.mark.parametrize("name", RECURRENT)
def test_gradient_norms_equal_those_computed_for_each_excerpt(name: str, excerpts: tuple[Tensor, Tensor]) -> None:
    network, (inputs, targets) = make_network(name), excerpts
    norms = np.zeros(12)
    for row, target in zip(inputs, targets, strict=True):
        embedded = network.embed(row[None]).detach().requires_grad_()
        F.cross_entropy(network.forward_embedded(embedded)[0][0, -1:], target[None]).backward()
        norms += embedded.grad[0].norm(dim=1).cpu().numpy()[::-1]
    found = gradient_norms(network, inputs, targets)
    assert found[0] == 1
    np.testing.assert_allclose(found, norms / norms[0], rtol=1e-4)


def test_gradient_of_a_linear_network_falls_exponentially() -> None:
    """With recurrent weights of 0.5 and nearly linear units, every step halves the gradient."""
    network = language_model("rnn", 5, embedding_size=1, hidden_size=1).to(device()).eval()
    with torch.no_grad():
        network.embedding.weight.fill_(1e-3)
        network.recurrent[0].weight_ih_l0.fill_(1e-3)
        network.recurrent[0].weight_hh_l0.fill_(0.5)
        network.recurrent[0].bias_ih_l0.zero_()
        network.recurrent[0].bias_hh_l0.zero_()
        network.output.weight.copy_(torch.arange(5.0)[:, None])
    inputs = torch.zeros(3, 20, dtype=torch.int64, device=device())
    norms = gradient_norms(network, inputs, torch.tensor([0, 1, 4], device=device()))
    np.testing.assert_allclose(norms, 0.5 ** np.arange(20), rtol=1e-3)


def test_vanished_gradient_has_the_smallest_norm_of_a_logarithmic_axis() -> None:
    network = make_network("rnn")
    with torch.no_grad():
        network.recurrent[0].weight_hh_l0.zero_()
    inputs = torch.ones(2, 6, dtype=torch.int64, device=device())
    norms = gradient_norms(network, inputs, torch.tensor([1, 2], device=device()))
    assert norms.tolist() == [1.0] + [MIN_NORM] * 5


@pytest.mark.parametrize("name", RECURRENT)
def test_loss_depends_on_the_last_tokens_only(name: str, excerpts: tuple[Tensor, Tensor]) -> None:
    network, (inputs, targets) = make_network(name), excerpts
    table = losses_by_context(network, inputs, targets)
    assert table["tokens"].tolist() == [1, 2, 4, 8]
    with torch.no_grad():
        logits, _ = network(inputs[:, -4:])
    assert table["nats"][2] == pytest.approx(float(F.cross_entropy(logits[:, -1], targets)), rel=1e-5)
    changed = inputs.clone()
    changed[:, :4] = 0  # more than 8 tokens before the end: in none of the contexts
    assert losses_by_context(network, changed, targets).equals(table)


# Replaced prefixes


def make_texts(count: int = 6, length: int = 64) -> tuple[Tensor, Tensor]:
    tokens = torch.randint(0, 11, (count, length + 1), generator=torch.Generator().manual_seed(1)).to(device())
    return tokens[:, :-1], tokens[:, 1:]


@pytest.fixture
def network() -> Recurrent:
    return make_network("lstm")


def test_extra_loss_is_the_one_after_the_prefix_of_another_text(network: Recurrent) -> None:
    inputs, targets = make_texts()
    replaced = inputs.clone()
    replaced[:, 12:16] = inputs[[5, 0, 1, 2, 3, 4], 12:16]
    with torch.no_grad():
        extra = (network.nats(replaced, targets)[0] - network.nats(inputs, targets)[0]).double().cpu().numpy()
    table = losses_after_replaced_prefixes(network, inputs, targets)
    assert table["prefix"].unique().tolist() == [1, 4, 16]
    found = table[table["prefix"] == 4].set_index("distance")
    assert found.index.tolist() == [1, 2, 4, 8, 16, 32, 49]
    np.testing.assert_allclose(found["extra"][1], extra[:, 15].mean(), rtol=1e-5)
    np.testing.assert_allclose(found["extra"][8], extra[:, 19:23].mean(), rtol=1e-5)
    texts = extra[:, 19:23].mean(1)
    np.testing.assert_allclose(found["error"][8], texts.std(ddof=1) / np.sqrt(6), rtol=1e-5)


def test_texts_whose_prefix_stays_the_same_are_left_out(network: Recurrent) -> None:
    inputs, targets = make_texts(count=4)
    inputs[:, 15] = torch.tensor([3, 3, 3, 7])  # the prefix of length 1: only the first and the last change
    extra = losses_after_replaced_prefixes(network, inputs, targets).set_index(["prefix", "distance"])["extra"][1, 1]
    inputs, targets = inputs[[0, 3]], targets[[0, 3]]
    replaced = inputs.clone()
    replaced[:, 15] = torch.tensor([7, 3])
    with torch.no_grad():
        expected = (network.nats(replaced, targets)[0] - network.nats(inputs, targets)[0])[:, 15].mean()
    assert extra == pytest.approx(float(expected), rel=1e-4)


def test_ngram_does_not_depend_on_tokens_beyond_its_order() -> None:
    network = language_model("ngram", 11, order=3).to(device())
    text = make_texts(count=1, length=400)[0]
    network.learn(text[:, :-1], text[:, 1:], epoch=0)
    table = losses_after_replaced_prefixes(network.eval(), *make_texts())
    far = table["distance"] > 2
    assert (table["extra"][far] == 0).all()
    assert (table["extra"][~far] != 0).all()


@pytest.mark.parametrize("length", [2, 3, 8, 24])
def test_short_texts_have_fewer_prefixes(network: Recurrent, length: int) -> None:
    table = losses_after_replaced_prefixes(network, *make_texts(length=length))
    assert table["prefix"].max() <= max(1, length // 4)
    assert table["distance"].max() == length - max(1, length // 4) + 1


def test_of_many_excerpts_evenly_spaced_ones_are_used(network: Recurrent) -> None:
    inputs, targets = make_texts(count=20)
    expected = losses_after_replaced_prefixes(network, inputs[::3], targets[::3])
    assert losses_after_replaced_prefixes(network, inputs, targets, max_excerpts=8).equals(expected)
