"""How far back a model looks, against gradients and losses computed by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvnlp.language.insight.context import GENTLE, context_losses, gradient_norms
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.networks import device
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))


def make_network(name: str) -> Recurrent:
    torch.manual_seed(0)
    return language_model(name, 11, embedding_size=6, hidden_size=8, initial_range=0.8).to(device()).eval()


@pytest.fixture
def excerpts() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 11, (5, 13), generator=generator).to(device())
    return tokens[:, :-1], tokens[:, -1]


@pytest.mark.parametrize("name", RECURRENT)
def test_norms_are_those_of_one_excerpt_after_the_other(name: str, excerpts: tuple[torch.Tensor, torch.Tensor]) -> None:
    network, (inputs, targets) = make_network(name), excerpts
    norms = np.zeros(12)
    for row, target in zip(inputs, targets, strict=True):
        embedded = network.embed(row[None]).detach().requires_grad_()
        F.cross_entropy(network.forward_embedded(embedded)[0][0, -1:], target[None]).backward()
        norms += embedded.grad[0].norm(dim=1).cpu().numpy()[::-1]
    found = gradient_norms(network, inputs, targets)
    assert found[0] == 1
    np.testing.assert_allclose(found, norms / norms[0], rtol=1e-4)


def test_gradient_of_a_linear_network_falls_like_a_power() -> None:
    """With weights of 0.5 and hardly any curvature, a step back costs a half each time."""
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


def test_gradient_that_has_vanished_can_still_be_drawn() -> None:
    network = make_network("rnn")
    with torch.no_grad():
        network.recurrent[0].weight_hh_l0.zero_()
    inputs = torch.ones(2, 6, dtype=torch.int64, device=device())
    norms = gradient_norms(network, inputs, torch.tensor([1, 2], device=device()))
    assert norms.tolist() == [1.0] + [GENTLE] * 5


@pytest.mark.parametrize("name", RECURRENT)
def test_loss_is_that_of_the_last_tokens_alone(name: str, excerpts: tuple[torch.Tensor, torch.Tensor]) -> None:
    network, (inputs, targets) = make_network(name), excerpts
    table = context_losses(network, inputs, targets)
    assert table["tokens"].tolist() == [1, 2, 4, 8]
    with torch.no_grad():
        logits, _ = network(inputs[:, -4:])
    assert table["nats"][2] == pytest.approx(float(F.cross_entropy(logits[:, -1], targets)), rel=1e-5)
    changed = inputs.clone()
    changed[:, :4] = 0  # more than 8 tokens back: read by none of them
    assert context_losses(network, changed, targets).equals(table)
