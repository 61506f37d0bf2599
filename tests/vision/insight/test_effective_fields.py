"""Receptive fields: by hand, by theory and as the gradient shows them."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.effective_fields import effective, extents, measure, side_holding
from cvnlp.vision.insight.receptive_fields import Field, is_border, theory


class Residual(nn.Module):
    """x + branch(x), the branch two convolutions deep."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(convolution(3, padding=1), nn.ReLU(), convolution(3, padding=1))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(maps + self.branch(maps))


class TimesMean(nn.Module):
    """Every unit depends on all of the picture, in a way that no kernel tells."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps * maps.mean((2, 3), keepdim=True)


class Slices(nn.ReflectionPad2d):
    """A mirrored border that is put together by hand."""

    def forward(self, maps: Tensor) -> Tensor:
        left, right, top, bottom = self.padding
        wide = torch.cat([maps[..., 1 : left + 1].flip(3), maps, maps[..., -right - 1 : -1].flip(3)], 3)
        return torch.cat([wide[:, :, 1 : top + 1].flip(2), wide, wide[:, :, -bottom - 1 : -1].flip(2)], 2)


def convolution(size: int, channels: int = 3, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(channels, 3, size, **options)


def pictures(height: int = 40, width: int = 36, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


# layers -> size, stride and centre of the first unit of the last
BY_HAND = {
    "valid": ([convolution(3)], (3, 1, 1.0)),
    "padded": ([convolution(3, padding=1)], (3, 1, 0.0)),
    "even": ([nn.ZeroPad2d((1, 2, 1, 2)), convolution(4)], (4, 1, 0.5)),
    "two": ([convolution(3), nn.ReLU(), convolution(5)], (7, 1, 3.0)),
    "dilated": ([convolution(3, dilation=3, padding=3)], (7, 1, 0.0)),
    "strided": ([convolution(3, stride=2), convolution(3, stride=2)], (7, 4, 3.0)),
    "pooled": ([convolution(3, padding=1), nn.MaxPool2d(2), convolution(3, padding=1), nn.MaxPool2d(2)], (10, 4, 1.5)),
    "averaged": ([convolution(5), nn.AvgPool2d(2), convolution(5), nn.AvgPool2d(2)], (16, 4, 7.5)),
    "overlapping": ([convolution(3), nn.MaxPool2d(3, 2, padding=1), nn.Tanh()], (5, 2, 1.0)),
    "bordered": ([nn.ReplicationPad2d(2), convolution(5), nn.BatchNorm2d(3)], (5, 1, 0.0)),
    "mirrored": ([nn.ReflectionPad2d((1, 2, 1, 2)), convolution(4)], (4, 1, 0.5)),
    "mirrored by hand": ([Slices((2, 2, 2, 2)), convolution(5)], (5, 1, 0.0)),
    "residual": ([convolution(3, padding=1), Residual(), nn.MaxPool2d(2), Residual()], (16, 2, 0.5)),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_theory_finds_what_one_finds_by_hand(name: str, stack: Any) -> None:
    layers, (size, stride, centre) = BY_HAND[name]
    network = stack(*layers).eval()
    for field in theory(network, network.feature_layers(), pictures())[f"layer{len(layers)}"]:
        assert (field.size, field.stride, field.centre) == (size, stride, centre)


@pytest.mark.parametrize("name", BY_HAND)
def test_gradient_reaches_as_far_as_theory_says_in_every_layer(name: str, stack: Any) -> None:
    network, images = stack(*BY_HAND[name][0]).eval(), pictures()
    fields = theory(network, network.feature_layers(), images)
    for layer, box in extents(network, images).items():
        with torch.no_grad():
            maps = network.features[: int(layer[5:])](images)
        windows = [
            field.window(size // 2, length)
            for field, size, length in zip(fields[layer], maps.shape[2:], (40, 36), strict=True)
        ]
        assert box == (*windows[0], *windows[1])


def test_published_field_of_alexnet(stack: Any) -> None:
    """195 pixels, 32 apart (Araujo et al. 2019)."""
    pool = [nn.MaxPool2d(3, 2)]
    thirds = [convolution(3, padding=1) for _ in range(3)]
    network = stack(
        convolution(11, stride=4, padding=2),
        *pool,
        convolution(5, padding=2),
        nn.MaxPool2d(3, 2),
        *thirds,
        nn.MaxPool2d(3, 2),
    )
    vertical, horizontal = theory(network, network.feature_layers(), pictures(224, 224))["layer8"]
    assert vertical == horizontal
    assert (vertical.size, vertical.stride) == (195, 32)


def test_axes_are_told_apart(stack: Any) -> None:
    network = stack(nn.Conv2d(3, 2, (3, 5), stride=(1, 2), padding=(1, 0)))
    assert theory(network, network.feature_layers(), pictures())["layer1"] == (Field(3, 1, -1), Field(5, 2, 0))
    assert extents(network, pictures())["layer1"] == (19, 22, 16, 21)


def test_unknown_operation_has_no_theory_but_a_measured_field(stack: Any) -> None:
    network = stack(convolution(3), TimesMean(), convolution(3))
    fields = theory(network, network.feature_layers(), pictures())
    assert fields["layer1"] == (Field(3), Field(3))
    assert fields["layer2"] is None and fields["layer3"] is None
    assert extents(network, pictures())["layer3"] == (0, 40, 0, 36)


def test_field_at_the_border_is_cut() -> None:
    field = Field(5, 2, -2)
    assert [field.window(unit, 10) for unit in (0, 1, 4)] == [(0, 3), (0, 5), (6, 10)]


def test_branches_at_different_distances_have_no_common_field() -> None:
    assert Field(3, 1, -1).join(Field(7, 1, 0)) == Field(8, 1, -1)
    assert Field(3, 1).join(Field(3, 2)) is None


def test_border_alone_sees_one_pixel(stack: Any) -> None:
    network = stack(nn.ZeroPad2d(2), convolution(1), convolution(3))
    fields = theory(network, network.feature_layers(), pictures())
    assert [is_border(fields[f"layer{number}"]) for number in (1, 2, 3)] == [True, True, False]
    assert not is_border(None)


@pytest.mark.parametrize(("share", "side"), [(0.1, 4), (0.35, 6), (0.9, 10), (1.0, 10)])
def test_square_that_holds_a_share_of_even_mass(share: float, side: int) -> None:
    assert side_holding(np.ones((10, 10)), share) == side


def test_square_lies_where_the_mass_is_and_fits_an_oblong_picture() -> None:
    mass = np.zeros((8, 20))
    mass[6:, 15:18] = 1
    assert side_holding(mass, 1.0) == 3
    assert side_holding(np.ones((8, 20)), 1.0) == 20
    assert side_holding(np.zeros((8, 20)), 0.9) == 0


def test_effective_field_is_that_of_the_weights_and_measured_is_not(stack: Any) -> None:
    network = stack(convolution(5, padding=2), nn.Tanh())
    with torch.no_grad():
        network.features[0].weight.zero_()
        network.features[0].weight[:, :, 2, 2] = 1
    before = {name: value.clone() for name, value in network.state_dict().items()}
    table, gradients = measure(
        network, network, pictures(count=4), theory(network, network.feature_layers(), pictures())
    )
    assert list(table["effective"]) == [1, 1]
    assert list(table["measured_height"]) == list(table["field_height"]) == [5, 5]
    assert gradients["layer1"].shape == (2, 40, 36)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_effective_field_does_not_hang_on_channels_that_cancel(stack: Any) -> None:
    network = stack(nn.Conv2d(3, 2, 3, padding=1))
    with torch.no_grad():
        network.features[0].weight[1] = -network.features[0].weight[0]
    assert effective(network, pictures(count=8))["layer1"].any()


def test_measuring_twice_gives_the_same(stack: Any) -> None:
    network = stack(*BY_HAND["pooled"][0])
    first, second = (effective(network, pictures(count=3)) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
