"""What another past costs, against differences made by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cvnlp.language.insight import prefixes
from cvnlp.language.insight.prefixes import changed_prefixes
from cvnlp.networks import device
from make_networks import language_model


def make_texts(count: int = 6, length: int = 64) -> tuple[Tensor, Tensor]:
    tokens = torch.randint(0, 11, (count, length + 1), generator=torch.Generator().manual_seed(1)).to(device())
    return tokens[:, :-1], tokens[:, -1]


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return language_model("lstm", 11, embedding_size=6, hidden_size=8, initial_range=0.8).to(device()).eval()


def test_extra_cost_is_that_behind_a_prefix_of_another_text(network: torch.nn.Module) -> None:
    inputs, targets = make_texts()
    after = torch.cat([inputs[:, 1:], targets[:, None]], dim=1)
    changed = inputs.clone()
    changed[:, 12:16] = inputs[[5, 0, 1, 2, 3, 4], 12:16]
    with torch.no_grad():
        extra = (network.nats(changed, after)[0] - network.nats(inputs, after)[0]).double().cpu().numpy()
    table = changed_prefixes(network, inputs, targets)
    assert table["prefix"].unique().tolist() == [1, 4, 16]
    found = table[table["prefix"] == 4].set_index("distance")
    assert found.index.tolist() == [1, 2, 4, 8, 16, 32, 49]
    np.testing.assert_allclose(found["extra"][1], extra[:, 15].mean(), rtol=1e-5)
    np.testing.assert_allclose(found["extra"][8], extra[:, 19:23].mean(), rtol=1e-5)
    texts = extra[:, 19:23].mean(1)
    np.testing.assert_allclose(found["error"][8], texts.std(ddof=1) / np.sqrt(6), rtol=1e-5)


def test_texts_whose_prefix_stays_the_same_do_not_count(network: torch.nn.Module) -> None:
    inputs, targets = make_texts(count=4)
    inputs[:, 15] = torch.tensor([3, 3, 3, 7])  # the prefix of 1: changed in the first, and the last
    extra = changed_prefixes(network, inputs, targets).set_index(["prefix", "distance"])["extra"][1, 1]
    inputs, after = inputs[[0, 3]], torch.cat([inputs[:, 1:], targets[:, None]], dim=1)[[0, 3]]
    changed = inputs.clone()
    changed[:, 15] = torch.tensor([7, 3])
    with torch.no_grad():
        expected = (network.nats(changed, after)[0] - network.nats(inputs, after)[0])[:, 15].mean()
    assert extra == pytest.approx(float(expected), rel=1e-4)


def test_an_ngram_forgets_what_lies_behind_its_order() -> None:
    network = language_model("ngram", 11, order=3).to(device())
    text = make_texts(count=1, length=400)[0]
    network.learn(text[:, :-1], text[:, 1:], epoch=0)
    table = changed_prefixes(network.eval(), *make_texts())
    far = table["distance"] > 2
    assert (table["extra"][far] == 0).all()
    assert (table["extra"][~far] != 0).all()


@pytest.mark.parametrize("length", [2, 3, 8, 24])
def test_short_texts_have_fewer_prefixes(network: torch.nn.Module, length: int) -> None:
    table = changed_prefixes(network, *make_texts(length=length))
    assert table["prefix"].max() <= max(1, length // 4)
    assert table["distance"].max() == length - max(1, length // 4) + 1


def test_of_many_texts_some_are_read(network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, targets = make_texts(count=20)
    monkeypatch.setattr(prefixes, "TEXTS", 8)
    assert changed_prefixes(network, inputs, targets).equals(changed_prefixes(network, inputs[::3], targets[::3]))
