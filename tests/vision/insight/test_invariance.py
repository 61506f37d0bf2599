"""Turned, scaled and moved pictures; the worst of many changes; how maps move with the picture."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from cvnlp.vision.insight.invariance import (
    accuracy,
    curves,
    equivariance,
    read,
    transform,
    turns_and_shifts,
    worst_case,
)
from cvnlp.vision.insight.receptive_fields import theory


class BrightestRow(nn.Module):
    """Names the row in which the picture is brightest."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0].mean(2)


class Ramp(nn.Module):
    """Its answer depends on the place: what it sees does not move with the picture."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps * torch.linspace(0, 1, maps.shape[3])


def pictures(count: int = 4, channels: int = 2, height: int = 15, width: int = 11) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(1))


def bars(rows: list[int]) -> tuple[Tensor, Tensor]:
    """Pictures 9 x 9 with a bright row each, and the number of that row."""
    images = torch.zeros(len(rows), 1, 9, 9)
    for image, row in zip(images, rows, strict=True):
        image[0, row] = 1
    return images, torch.tensor(rows)


CHANGES = [
    {"rotation": 30.0},
    {"rotation": -75.0},
    {"scale": 0.6},
    {"scale": 1.4},
    {"right": 2.5},
    {"down": -1.25},
    {"rotation": 20.0, "right": 3.0, "down": -2.0},
    {"rotation": -10.0, "scale": 1.2, "right": -0.5, "down": 4.0},
]


@pytest.mark.parametrize("change", CHANGES)
def test_change_is_that_of_torchvision(change: dict[str, float]) -> None:
    """Which measures an angle clockwise; where both see black, both give black."""
    expected = affine(
        pictures(),
        angle=-change.get("rotation", 0.0),
        translate=[change.get("right", 0.0), change.get("down", 0.0)],
        scale=change.get("scale", 1.0),
        shear=[0.0, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    assert torch.allclose(transform(pictures(), **change), expected, atol=1e-4)


def test_no_change_is_exact() -> None:
    assert torch.equal(transform(pictures()), pictures())


def test_quarter_turn_is_anticlockwise() -> None:
    square = pictures(height=11)
    assert torch.allclose(transform(square, rotation=90), square.rot90(1, (2, 3)), atol=1e-5)


def test_move_by_whole_pixels_is_exact_and_lets_black_in() -> None:
    moved = transform(pictures(), right=3, down=-2)
    assert torch.equal(moved[:, :, :-2, 3:], pictures()[:, :, 2:, :-3])
    assert not moved[:, :, -2:].any() and not moved[..., :3].any()


@pytest.mark.parametrize("move", [{"right": 40}, {"down": -15}, {"right": -11, "down": 1}])
def test_move_out_of_the_picture_leaves_black(move: dict[str, float]) -> None:
    assert not transform(pictures(), **move).any()


def test_curves_hold_the_accuracy_at_every_amount() -> None:
    images, labels = bars([1, 2, 3, 4])
    table = curves(BrightestRow(), images, labels, {"right": [0.0, 2.0, -2.0], "down": [0.0, 1.0]})
    assert table.to_dict("list") == {
        "change": ["right", "right", "right", "down", "down"],
        "amount": [-2.0, 0.0, 2.0, 0.0, 1.0],
        "accuracy": [1.0, 1.0, 1.0, 1.0, 0.0],
    }


def test_grid_reaches_its_limits_and_begins_with_no_change() -> None:
    points = turns_and_shifts(rotation=30.0, rotations=7, shift=3.0, shifts=5)
    assert len(points) == 7 * 5 * 5
    assert points[0] == {"rotation": 0.0, "right": 0.0, "down": 0.0}
    assert {abs(value) for value in points[-1].values()} == {30.0, 3.0}
    sizes = [abs(one["rotation"]) / 30 + abs(one["right"]) / 3 + abs(one["down"]) / 3 for one in points]
    assert all(first <= second + 1e-9 for first, second in itertools.pairwise(sizes))


def test_grid_without_turns_or_shifts() -> None:
    assert len(turns_and_shifts(rotation=0.0, rotations=1, shift=2.0, shifts=3)) == 9
    assert [one["rotation"] for one in turns_and_shifts(rotation=10.0, rotations=2, shift=0.0, shifts=1)] == [-10, 10]


def test_worst_case_is_what_trying_everything_finds() -> None:
    torch.manual_seed(0)
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(2 * 15 * 11, 3)), pictures(30)
    labels = read(network, images).clone()
    labels[::7] = (labels[::7] + 1) % 3
    points = turns_and_shifts(rotation=3.0, rotations=3, shift=0.2, shifts=3)
    share, fooled = worst_case(network, images, labels, points)
    right = torch.stack([read(network, transform(images, **point)) == labels for point in points])
    assert share == right.all(0).double().mean()
    assert set(fooled["row"]) == {row for row in range(30) if right[0, row] and not right[:, row].all()}
    assert 0 < share < accuracy(network, images, labels)
    for row in fooled.itertuples():
        first = points[int((~right[:, row.row]).nonzero()[0, 0])]
        assert {"rotation": row.rotation, "right": row.right, "down": row.down} == first
        assert row.predicted == read(network, transform(images[[row.row]], **first)).item()


def test_network_that_no_change_fools_keeps_its_accuracy() -> None:
    images, labels = bars([2, 3, 4, 5])
    labels[0] = 7
    points = [{"rotation": 0.0, "right": float(right), "down": 0.0} for right in (-2, 2)]
    share, fooled = worst_case(BrightestRow(), images, labels, points)
    assert share == 0.75
    assert list(fooled.columns) == ["row", "rotation", "right", "down", "predicted"] and not len(fooled)


def differences(network: Any, shifts: list[int], images: Tensor | None = None) -> dict[tuple[str, int], float]:
    torch.manual_seed(0)
    images = pictures() if images is None else images
    layers = network.feature_layers()
    table = equivariance(network, layers, images, theory(network, layers, images[:1]), shifts)
    return {(row.layer, row.shift): row.difference for row in table.itertuples()}


@pytest.mark.parametrize("padding", [0, 1])
def test_multiples_of_the_stride_are_exact(stack: Any, padding: int) -> None:
    layers = [nn.Conv2d(2, 4, 3, padding=padding), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=padding)]
    found = differences(stack(*layers, nn.Conv2d(4, 4, 2, stride=2)), [1, 2, 3, 4, 8])
    strides = {"layer1": 1, "layer2": 1, "layer3": 2, "layer4": 2, "layer5": 4}
    for (layer, shift), difference in found.items():
        if shift % strides[layer] == 0:
            assert difference < 1e-6, (layer, shift)
        else:
            assert difference > 0.01, (layer, shift)


def test_map_that_depends_on_the_place_does_not_move_with_the_picture(stack: Any) -> None:
    found = differences(stack(nn.Conv2d(2, 4, 3), Ramp()), [1, 3])
    assert found["layer1", 1] < 1e-6 and found["layer2", 1] > 1e-3
    assert found["layer2", 3] > found["layer2", 1]


def test_difference_of_a_known_map(stack: Any) -> None:
    """Every second pixel of a single bright one: moved by one it is gone, where half of it was expected twice."""
    network = stack(nn.Conv2d(1, 1, 1, stride=2, bias=False))
    nn.init.ones_(network.features[0].weight)
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 1
    margin = 1 + 2 + 1  # of field, stride and shift: the pixel lies at an even place
    assert (4 + margin) % 2 == 0
    # |(0, 0) - (1/2, 1/2)| / |(1/2, 1/2)|
    assert differences(network, [1], image)["layer1", 1] == pytest.approx(1.0)


def test_layers_without_a_known_field_are_left_out(stack: Any) -> None:
    network = stack(nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3))
    images, layers = pictures(), network.feature_layers()
    fields = theory(network, layers, images[:1]) | {"layer2": None}
    assert set(equivariance(network, layers, images, fields, [1])["layer"]) == {"layer1"}
    assert not len(equivariance(network, layers, images, {}, [1]))


def test_dead_map_has_no_difference_to_tell(stack: Any) -> None:
    network = stack(nn.Conv2d(2, 4, 3))
    nn.init.zeros_(network.features[0].weight)
    assert np.isnan(differences(network, [1])["layer1", 1])


def test_pictures_in_batches_give_the_same(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = stack(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2))
    whole = differences(network, [1])
    monkeypatch.setattr("cvnlp.vision.insight.invariance.SMALL_BATCH", 3)
    assert differences(network, [1]) == pytest.approx(whole, abs=1e-6)
