"""Optimisers and their parameter groups."""

from typing import Any

import pytest
import torch
from torch import nn

from cvnlp.params.optimiser import Optimiser
from cvnlp.training.optimisers import make_optimiser, scaled_lr


def make(network: nn.Module, *, lr: float = 0.25, **options: Any) -> torch.optim.Optimizer:
    return make_optimiser(network, Optimiser(**options), lr=lr)


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({"name": "adamw"}, torch.optim.AdamW, {"betas": (0.9, 0.999), "eps": 1e-8}),
        ({"name": "adamw", "betas": [0.8, 0.95], "eps": 1e-6}, torch.optim.AdamW, {"betas": (0.8, 0.95), "eps": 1e-6}),
        ({"name": "sgd"}, torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        ({"name": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ({"name": "sgd", "momentum": 0.9, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ({"name": "sgd", "momentum": 0.9, "nesterov": False}, torch.optim.SGD, {"momentum": 0.9, "nesterov": False}),
    ],
)
def test_the_optimiser_has_the_class_and_settings_of_its_options(
    options: dict[str, Any], kind: type, expected: dict[str, Any]
) -> None:
    network = nn.Linear(3, 2)
    made = make(network, weight_decay=0.125, warmup=0.1, **options)
    (group,) = made.param_groups
    assert type(made) is kind
    assert {"lr": 0.25, "weight_decay": 0.125, **expected}.items() <= group.items()
    assert [id(parameter) for parameter in group["params"]] == [id(parameter) for parameter in network.parameters()]


def test_a_step_of_sgd_is_the_gradient_times_the_rate() -> None:
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    made = make(network, name="sgd", lr=0.5, weight_decay=0.1)
    network(torch.tensor([[2.0, 3.0]])).sum().backward()
    made.step()
    assert torch.allclose(network.weight, before - 0.5 * (torch.tensor([[2.0, 3.0]]) + 0.1 * before))


def test_a_scaled_rate_scales_the_step_and_is_restored() -> None:
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    made = make(network, name="sgd", lr=0.5)
    network(torch.tensor([[2.0, 3.0]])).sum().backward()
    with scaled_lr(made, 0.25):
        made.step()
    assert torch.allclose(network.weight, before - 0.125 * torch.tensor([[2.0, 3.0]]))
    assert made.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_biases_and_normalisation_can_be_exempt_from_weight_decay(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    made = make(network, name=name, weight_decay=0.5, decay_all=False)
    decay = {id(one): group["weight_decay"] for group in made.param_groups for one in group["params"]}
    found = {name: decay[id(parameter)] for name, parameter in network.named_parameters()}
    assert {name for name, value in found.items() if value == 0.5} == {"0.weight", "3.weight"}
    assert {name for name, value in found.items() if value == 0.0} == {"0.bias", "1.weight", "1.bias", "3.bias"}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    made.step()  # with zero gradients only weight decay changes a weight
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]) == (found[name] == 0.0), name


@pytest.mark.parametrize("network", [nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3)])
def test_a_network_with_one_kind_of_weights_has_one_group(network: nn.Module) -> None:
    assert len(make(network, name="adamw", weight_decay=0.5, decay_all=False).param_groups) == 1
