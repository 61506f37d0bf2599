"""LeNet-5 compared with the paper: sizes, numbers of parameters, table of connections."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.networks import parameter_count
from cvnlp.vision.models.lenet import TABLE, Lenet5, ScaledTanh, Subsampling, TableConvolution
from make_networks import classifier

MODERN = {"subsampling": "max", "connections": "full", "activation": "relu"}
TABLE_1 = """
X...XXX..XXXX.XX
XX...XXX..XXXX.X
XXX...XXX..X.XXX
.XXX..XXXX..X.XX
..XXX..XXXX.XX.X
...XXX..XXXX.XXX
"""


def build(shape: tuple[int, int, int] = (32, 32, 1), **options: Any) -> Lenet5:
    torch.manual_seed(0)
    return classifier("lenet5", shape, 10, mean=0.2, std=0.3, **options).eval()


def counts(network: Lenet5) -> dict[str, int]:
    features, head = (network.layers.get_submodule(part) for part in ("features", "head"))
    layers = [*features.named_children(), *head.named_children()]
    return {name: parameter_count(layer) for name, layer in layers if parameter_count(layer)}


def test_the_number_of_parameters_equals_that_of_the_paper() -> None:
    paper = {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48_120, "F6": 10_164}
    assert counts(build()) == paper | {"output": 84 * 10 + 10}
    assert sum(paper.values()) == 60_000


def test_the_number_of_parameters_of_the_modern_lenet() -> None:
    today = {"C1": 156, "C3": 2416, "C5": 48_120, "F6": 10_164, "output": 850}
    assert counts(build(**MODERN)) == today
    assert parameter_count(build((28, 28, 1), **MODERN)) == 61_706


@pytest.mark.parametrize("options", [{}, MODERN, {"subsampling": "average"}])
@pytest.mark.parametrize("shape", [(32, 32, 1), (28, 28, 1), (12, 28, 3)])
def test_maps_have_the_sizes_of_the_paper(options: dict[str, Any], shape: tuple[int, int, int]) -> None:
    network = build(shape, **options)
    sizes: dict[str, tuple[int, ...]] = {}
    for name, layer in network.feature_layers():
        part = name.split(".")[0]
        layer.register_forward_hook(lambda _m, _i, output, part=part: sizes.update({part: tuple(output.shape[1:])}))
    network(torch.zeros(1, shape[2], *shape[:2]))
    assert sizes == {
        "border": (shape[2], 32, 32),
        "C1": (6, 28, 28),
        "S2": (6, 14, 14),
        "C3": (16, 10, 10),
        "S4": (16, 5, 5),
        "C5": (120, 1, 1),
    }


def test_connections_are_those_of_table_1() -> None:
    drawn = TABLE_1.split()
    assert [[row for row in range(6) if drawn[row][column] == "X"] for column in range(16)] == [
        sorted(inputs) for inputs in TABLE
    ]
    assert sum(map(len, TABLE)) == 60


def test_table_of_connections_is_a_convolution_with_zeros() -> None:
    torch.manual_seed(0)
    layer = TableConvolution(TABLE, 6, 5)
    reference = nn.Conv2d(6, 16, 5)
    mask = torch.tensor([[channel in inputs for channel in range(6)] for inputs in TABLE])
    with torch.no_grad():
        reference.weight.copy_(layer.filters())
        reference.bias.copy_(layer.bias)
    assert not reference.weight[~mask].any() and reference.weight[mask].all()
    maps = torch.rand(3, 6, 14, 14, generator=torch.Generator().manual_seed(1))
    assert torch.equal(layer(maps), reference(maps))
    layer(maps).square().sum().backward()
    reference(maps).square().sum().backward()
    assert torch.equal(layer.weight.grad, reference.weight.grad[layer.outputs, layer.inputs])


def test_initial_weights_of_the_table_have_the_range_of_torch() -> None:
    torch.manual_seed(0)
    layer = TableConvolution(TABLE, 6, 5)
    for number, inputs in enumerate(TABLE):
        largest = layer.filters()[number].abs().max()
        bound = (25 * len(inputs)) ** -0.5
        assert 0.9 * bound < largest <= bound
        assert layer.bias[number].abs() <= bound


def test_subsampling_is_the_mean_times_a_weight_plus_a_bias() -> None:
    layer = Subsampling(2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, -1.0]))
        layer.bias.copy_(torch.tensor([0.5, 3.0]))
    maps = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).expand(1, 2, 2, 2)
    assert layer(maps).flatten().tolist() == [4 * 2 + 0.5, -4 + 3]


def test_scaled_tanh_passes_through_one() -> None:
    squash = ScaledTanh()
    assert squash(torch.tensor([1.0, -1.0, 0.0, 99.0])).tolist() == pytest.approx([1.0, -1.0, 0.0, 1.7159], abs=1e-4)


def test_small_images_are_padded_with_black() -> None:
    network = build((28, 20, 3))
    seen: list[Tensor] = []
    network.layers.get_submodule("features.border").register_forward_hook(lambda _m, _i, output: seen.append(output))
    network(torch.ones(1, 3, 28, 20))
    pixels = seen[0] * network.std + network.mean
    expected = F.pad(torch.ones(1, 3, 28, 20), (6, 6, 2, 2))
    assert torch.allclose(pixels, expected, atol=1e-6)


def test_forward_equals_the_formula() -> None:
    network = build()
    state = {name.removeprefix("layers."): tensor for name, tensor in network.state_dict().items()}

    def squash(inputs: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(inputs * 2 / 3)

    def subsample(maps: Tensor, name: str) -> Tensor:
        weight, bias = (state[f"features.{name}.subsampling.{part}"].view(-1, 1, 1) for part in ("weight", "bias"))
        return squash(F.avg_pool2d(maps, 2) * weight + bias)

    images = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    maps = (images - 0.2) / 0.3
    maps = squash(F.conv2d(maps, state["features.C1.convolution.weight"], state["features.C1.convolution.bias"]))
    maps = subsample(maps, "S2")
    filters = network.get_submodule("layers.features.C3.convolution").filters()
    maps = subsample(squash(F.conv2d(maps, filters, state["features.C3.convolution.bias"])), "S4")
    c5 = squash(
        maps.flatten(1) @ state["features.C5.convolution.weight"].flatten(1).T
        + network.get_submodule("layers.features.C5.convolution").bias
    )
    f6 = squash(F.linear(c5, state["head.F6.weight"], state["head.F6.bias"]))
    expected = F.linear(f6, state["head.output.weight"], state["head.output.bias"])
    assert torch.allclose(network(images), expected, atol=1e-5)


@pytest.mark.parametrize(("shape", "inputs"), [((40, 32, 1), 16 * 7 * 5), ((64, 64, 3), 16 * 13 * 13)])
def test_c5_covers_all_of_larger_images(shape: tuple[int, int, int], inputs: int) -> None:
    network = build(shape)
    assert counts(network)["C5"] == 120 * (inputs + 1)
    assert network(torch.rand(2, shape[2], *shape[:2])).shape == (2, 10)
