"""Weight sharing: a locally connected layer with equal weights has the same maps, and gradients with the same sum."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.insight.weight_sharing import (
    LocallyConnected,
    compare_gradients,
    first_convolution,
    parameter_counts,
    unshare,
)
from cvnlp.vision.models.cnn import Cnn
from make_networks import classifier

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")

LAYERS: list[dict[str, Any]] = [
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": (4, 3), "padding": "same", "dilation": (1, 2)},
    {"kernel_size": (2, 5), "padding": (1, 2), "stride": (2, 3)},
    {"kernel_size": 3, "padding": 1, "groups": 2, "bias": False},
    {"kernel_size": 3, "padding": 2, "padding_mode": "reflect", "stride": 2},
    {"kernel_size": 3, "padding": "same", "padding_mode": "replicate"},
    {"kernel_size": 1, "padding": "valid", "padding_mode": "circular"},
]


def make_cnn(**options: Any) -> Cnn:
    torch.manual_seed(0)
    return classifier("cnn", (12, 10, 1), 4, mean=0.3, std=0.2, **options)


def convolutions(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]


def make_batch(count: int = 8) -> tuple[Tensor, Tensor]:
    labels = torch.arange(count) % 4
    pictures = 0.3 * torch.rand(count, 1, 12, 10, generator=torch.Generator().manual_seed(1))
    for picture, label in zip(pictures, labels.tolist(), strict=True):
        picture[0, 3 * label : 3 * label + 2] = 1  # a bar at the class's own height
    return pictures, labels


def train(network: nn.Module, steps: int = 40) -> nn.Module:
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    pictures, labels = make_batch(32)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(network(pictures), labels).backward()
        optimiser.step()
    return network


@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_locally_connected_layer_has_the_same_maps_and_gradients_with_the_same_sum(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(4, 6, dtype=torch.float64, **options)
    local = LocallyConnected(convolution, 11, 13)
    pictures = torch.randn(2, 4, 11, 13, dtype=torch.float64)
    ours, theirs = local(pictures), convolution(pictures)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)
    target = torch.randn_like(theirs)
    for maps in (ours, theirs):
        (maps * target).sum().backward()
    for name, parameter in convolution.named_parameters():
        copies = local.get_parameter(name).grad
        assert copies is not None and parameter.grad is not None
        assert torch.allclose(copies.sum((0, 1)), parameter.grad, rtol=0, atol=1e-10)


def test_locally_connected_weights_are_independent() -> None:
    convolution = nn.Conv2d(1, 2, 3)
    local = LocallyConnected(convolution, 6, 6)
    pictures = torch.rand(1, 1, 6, 6)
    before = local(pictures)
    with torch.no_grad():
        local.weight[1, 2] += 1
    changed = (local(pictures) != before)[0].any(0)
    assert changed.nonzero().tolist() == [[1, 2]]
    assert torch.allclose(convolution(pictures), before, atol=1e-6)


@pytest.mark.parametrize("trained", [False, True], ids=["random", "trained"])
@pytest.mark.parametrize("layer", [0, 1], ids=["first", "second"])
def test_the_gradient_of_a_shared_weight_is_the_sum_over_its_copies(trained: bool, layer: int) -> None:
    network = train(make_cnn()) if trained else make_cnn()
    numbers = compare_gradients(network, *make_batch(), layer=convolutions(network)[layer])
    assert numbers["output_difference"] < 1e-10
    assert numbers["gradient_difference"] < 1e-8 * numbers["gradient_largest"]
    assert numbers["copies_difference"] > 1e-3 * numbers["gradient_largest"]  # the copies would become different


def test_the_trained_network_has_learned() -> None:
    network = train(make_cnn())
    pictures, labels = make_batch(32)
    assert (network(pictures).argmax(1) == labels).all()


def test_the_network_is_not_modified() -> None:
    network = make_cnn(dropout=0.5).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, second = compare_gradients(network, *make_batch()), compare_gradients(network, *make_batch())
    assert first == second
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_running_statistics_are_not_updated() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 10 * 8, 4))
    unshare(network, "0", make_batch()[0])
    assert network[1].num_batches_tracked == 0


def test_a_frozen_network_has_gradients_too() -> None:
    assert compare_gradients(make_cnn().requires_grad_(False), *make_batch())["gradient_largest"] > 0


def test_one_step_makes_the_copies_differ() -> None:
    network = make_cnn()
    pictures, labels = make_batch()
    unshared, local = unshare(network, first_convolution(network), pictures)
    F.cross_entropy(unshared(pictures), labels).backward()
    torch.optim.SGD(unshared.parameters(), lr=1.0).step()
    assert (local.weight.amax((0, 1)) - local.weight.amin((0, 1))).max() > 1e-3


def test_parameter_counts_worked_out_by_hand() -> None:
    counts = parameter_counts(nn.Conv2d(3, 8, 5, padding="same"), 28, 20)
    assert counts == {
        "positions": 560,
        "parameters_shared": 8 * (3 * 25 + 1),
        "parameters_unshared": 560 * 8 * (3 * 25 + 1),
        "parameters_fully_connected": 560 * 8 * (3 * 560 + 1),
    }
    strided = parameter_counts(nn.Conv2d(2, 4, 3, stride=2, bias=False), 9, 7)
    assert (strided["positions"], strided["parameters_fully_connected"]) == (4 * 3, 4 * 3 * 4 * 9 * 7 * 2)


@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_parameter_counts_are_those_of_the_modules(options: dict[str, Any]) -> None:
    convolution = nn.Conv2d(4, 6, **options)
    local = LocallyConnected(convolution, 11, 13)
    counts = parameter_counts(convolution, 11, 13)
    assert counts["parameters_unshared"] == sum(parameter.numel() for parameter in local.parameters())
    assert counts["positions"] == convolution(torch.zeros(1, 4, 11, 13))[0, 0].numel()


def test_the_first_convolution_is_the_default() -> None:
    network = make_cnn()
    assert first_convolution(network) == convolutions(network)[0]
    named = compare_gradients(network, *make_batch(), layer=convolutions(network)[0])
    assert compare_gradients(network, *make_batch()) == named


def test_layer_that_is_no_convolution_is_refused() -> None:
    mlp, plain = classifier("mlp", (12, 10, 1), 4, mean=0.3, std=0.2), nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    with pytest.raises(ValueError, match="network: a Mlp contains no convolution"):
        compare_gradients(mlp, *make_batch())
    with pytest.raises(ValueError, match="layer 'layers' is not a convolution of the network; choices: none"):
        compare_gradients(mlp, *make_batch(), layer="layers")
    with pytest.raises(ValueError, match="layer '1' is not a convolution of the network; choices: 0"):
        compare_gradients(plain, *make_batch(), layer="1")


def test_layer_with_inputs_of_two_sizes_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 3)

        def forward(self, pictures: Tensor) -> Tensor:
            return self.layer(self.layer(pictures)).flatten(1)

    with pytest.raises(ValueError, match="layer 'layer' has inputs of 2 sizes"):
        compare_gradients(Twice(), *make_batch())
