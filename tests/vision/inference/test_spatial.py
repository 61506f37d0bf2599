"""Rotated and shifted images: the transformations, and the worst case of a grid."""

import itertools

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from cvnlp.vision.inference import predict_classes
from cvnlp.vision.inference.spatial import first_failures, rotation_shift_grid, transform


class BrightestRow(nn.Module):
    """Predicts the brightest row of the image."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0].mean(2)


def pictures(count: int = 4, channels: int = 2, height: int = 15, width: int = 11) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(1))


def bars(rows: list[int]) -> tuple[Tensor, Tensor]:
    """Images of 9 x 9 with one bright row, and its number as the label."""
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
def test_transformation_equals_torchvision(change: dict[str, float]) -> None:
    """torchvision measures angles clockwise."""
    expected = affine(
        pictures(),
        angle=-change.get("rotation", 0.0),
        translate=[change.get("right", 0.0), change.get("down", 0.0)],
        scale=change.get("scale", 1.0),
        shear=[0.0, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    assert torch.allclose(transform(pictures(), **change), expected, atol=1e-4)


def test_identity_is_exact() -> None:
    assert torch.equal(transform(pictures()), pictures())


def test_rotation_by_90_degrees_is_anticlockwise() -> None:
    square = pictures(height=11)
    assert torch.allclose(transform(square, rotation=90), square.rot90(1, (2, 3)), atol=1e-5)


def test_shift_by_whole_pixels_is_exact_and_fills_with_black() -> None:
    moved = transform(pictures(), right=3, down=-2)
    assert torch.equal(moved[:, :, :-2, 3:], pictures()[:, :, 2:, :-3])
    assert not moved[:, :, -2:].any() and not moved[..., :3].any()


@pytest.mark.parametrize("move", [{"right": 40}, {"down": -15}, {"right": -11, "down": 1}])
def test_shift_out_of_the_image_leaves_black(move: dict[str, float]) -> None:
    assert not transform(pictures(), **move).any()


def test_grid_reaches_its_limits_and_starts_with_the_identity() -> None:
    points = rotation_shift_grid(rotation=30.0, rotations=7, shift=3.0, shifts=5)
    assert len(points) == 7 * 5 * 5
    assert points[0] == {"rotation": 0.0, "right": 0.0, "down": 0.0}
    assert {abs(value) for value in points[-1].values()} == {30.0, 3.0}
    sizes = [abs(one["rotation"]) / 30 + abs(one["right"]) / 3 + abs(one["down"]) / 3 for one in points]
    assert all(first <= second + 1e-9 for first, second in itertools.pairwise(sizes))


def test_grid_without_rotations_or_shifts() -> None:
    assert len(rotation_shift_grid(rotation=0.0, rotations=1, shift=2.0, shifts=3)) == 9
    assert [one["rotation"] for one in rotation_shift_grid(rotation=10.0, rotations=2, shift=0.0, shifts=1)] == [
        -10,
        10,
    ]


def test_worst_case_equals_exhaustive_search() -> None:
    torch.manual_seed(0)
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(2 * 15 * 11, 3)), pictures(30)
    labels = predict_classes(network, images).clone()
    labels[::7] = (labels[::7] + 1) % 3
    points = rotation_shift_grid(rotation=3.0, rotations=3, shift=0.2, shifts=3)
    robust, misclassified = first_failures(network, images, labels, points)
    right = torch.stack([predict_classes(network, transform(images, **point)) == labels for point in points])
    assert torch.equal(robust, right.all(0))
    assert set(misclassified["row"]) == {row for row in range(30) if right[0, row] and not right[:, row].all()}
    assert 0 < robust.sum() < right[0].sum()
    for row in misclassified.itertuples():
        first = points[int((~right[:, row.row]).nonzero()[0, 0])]
        assert {"rotation": row.rotation, "right": row.right, "down": row.down} == first
        assert row.predicted == predict_classes(network, transform(images[[row.row]], **first)).item()


def test_invariant_network_keeps_its_accuracy() -> None:
    images, labels = bars([2, 3, 4, 5])
    labels[0] = 7
    points = [{"rotation": 0.0, "right": float(right), "down": 0.0} for right in (-2, 2)]
    robust, misclassified = first_failures(BrightestRow(), images, labels, points)
    assert robust.tolist() == [False, True, True, True]
    assert list(misclassified.columns) == ["row", "rotation", "right", "down", "predicted"] and not len(misclassified)
