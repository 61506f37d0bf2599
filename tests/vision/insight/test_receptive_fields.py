"""Receptive fields: computed, compared with results by hand, published ones, and the reach of gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.effective_fields import gradient_extents
from cvnlp.vision.insight.receptive_fields import Field, is_padding, receptive_fields


class Residual(nn.Module):
    """x + branch(x), the branch two convolutions deep."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(convolution(3, padding=1), nn.ReLU(), convolution(3, padding=1))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(maps + self.branch(maps))


class TimesMean(nn.Module):
    """Every unit depends on the whole image, without a kernel."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps * maps.mean((2, 3), keepdim=True)


class Slices(nn.ReflectionPad2d):
    """Mirrored padding, concatenated from slices."""

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
def test_fields_are_those_worked_out_by_hand(name: str, stack: Any) -> None:
    layers, (size, stride, centre) = BY_HAND[name]
    network = stack(*layers).eval()
    for field in receptive_fields(network, network.feature_layers(), pictures())[f"layer{len(layers)}"]:
        assert (field.size, field.stride, field.centre) == (size, stride, centre)


@pytest.mark.parametrize("name", BY_HAND)
def test_gradient_reaches_exactly_the_field_in_every_layer(name: str, stack: Any) -> None:
    network, images = stack(*BY_HAND[name][0]).eval(), pictures()
    fields = receptive_fields(network, network.feature_layers(), images)
    for layer, box in gradient_extents(network, images).items():
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
    vertical, horizontal = receptive_fields(network, network.feature_layers(), pictures(224, 224))["layer8"]
    assert vertical == horizontal
    assert (vertical.size, vertical.stride) == (195, 32)


def test_axes_are_independent(stack: Any) -> None:
    network = stack(nn.Conv2d(3, 2, (3, 5), stride=(1, 2), padding=(1, 0)))
    assert receptive_fields(network, network.feature_layers(), pictures())["layer1"] == (
        Field(3, 1, -1),
        Field(5, 2, 0),
    )
    assert gradient_extents(network, pictures())["layer1"] == (19, 22, 16, 21)


def test_unsupported_operation_has_no_computed_but_a_measured_field(stack: Any) -> None:
    network = stack(convolution(3), TimesMean(), convolution(3))
    fields = receptive_fields(network, network.feature_layers(), pictures())
    assert fields["layer1"] == (Field(3), Field(3))
    assert fields["layer2"] is None and fields["layer3"] is None
    assert gradient_extents(network, pictures())["layer3"] == (0, 40, 0, 36)


def test_field_at_the_border_is_cut() -> None:
    field = Field(5, 2, -2)
    assert [field.window(unit, 10) for unit in (0, 1, 4)] == [(0, 3), (0, 5), (6, 10)]


def test_branches_with_different_strides_have_no_common_field() -> None:
    assert Field(3, 1, -1).union(Field(7, 1, 0)) == Field(8, 1, -1)
    assert Field(3, 1).union(Field(3, 2)) is None


def test_padding_alone_covers_one_pixel(stack: Any) -> None:
    network = stack(nn.ZeroPad2d(2), convolution(1), convolution(3))
    fields = receptive_fields(network, network.feature_layers(), pictures())
    assert [is_padding(fields[f"layer{number}"]) for number in (1, 2, 3)] == [True, True, False]
    assert not is_padding(None)
