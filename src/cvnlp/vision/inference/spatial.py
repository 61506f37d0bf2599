"""Predictions of rotated and shifted images: the transformations, and the worst case of a grid of them."""

import itertools
import math

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.inference.predict import predict_classes

BATCH = 128  # fits the processor's cache: 1.5 times as fast as 512
COLUMNS = ["row", "rotation", "right", "down", "predicted"]


def transform(
    images: Tensor, *, rotation: float = 0.0, scale: float = 1.0, right: float = 0.0, down: float = 0.0
) -> Tensor:
    """Rotate by degrees (anticlockwise) and scale about the centre, then shift by pixels.

    Bilinear interpolation; the outside of the image is black. A shift by whole pixels alone is exact.
    """
    if rotation == 0 and scale == 1 and right == int(right) and down == int(down):
        return shift_pixels(images, int(right), int(down))
    height, width = images.shape[2:]
    cos, sin = (function(math.radians(rotation)) / scale for function in (math.cos, math.sin))
    # from a position of the result to its source, in the units of affine_grid: half sizes, from the centre
    source = [
        [cos, -sin * height / width, -(cos * right - sin * down) * 2 / width],
        [sin * width / height, cos, -(sin * right + cos * down) * 2 / height],
    ]
    matrix = torch.tensor([source]).to(images).expand(len(images), -1, -1)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def shift_pixels(images: Tensor, right: int, down: int) -> Tensor:
    """Shift by whole pixels; the outside of the image is black."""
    height, width = images.shape[2:]
    right, down = max(-width, min(right, width)), max(-height, min(down, height))
    return F.pad(images, (right, -right, down, -down))


def rotation_shift_grid(*, rotation: float, rotations: int, shift: float, shifts: int) -> list[dict[str, float]]:
    """The grid of Engstrom et al. 2019 up to `rotation` degrees and `shift` pixels, smallest transformation first."""
    angles, distances = np.linspace(-rotation, rotation, rotations), np.linspace(-shift, shift, shifts)
    points = [
        {"rotation": float(angle), "right": float(right), "down": float(down)}
        for angle, right, down in itertools.product(angles, distances, distances)
    ]
    limits = {"rotation": rotation, "right": shift, "down": shift}
    return sorted(points, key=lambda point: round(sum(abs(point[key]) / (limits[key] or 1) for key in point), 9))


def first_failures(
    network: nn.Module, images: Tensor, labels: Tensor, points: list[dict[str, float]]
) -> tuple[Tensor, pd.DataFrame]:
    """Which images (N,) are classified correctly at every point, and the first point at which others are not.

    Columns of the table: row (of the image), rotation, right, down, predicted. Images that are misclassified without a
    transformation are neither robust nor listed. Only images that are still robust are transformed further.
    """
    robust = predict_classes(network, images, batch_size=BATCH) == labels
    rows = []
    for point in points:
        remaining = robust.nonzero()[:, 0]
        if not len(remaining):
            break
        predicted = predict_classes(network, transform(images[remaining], **point), batch_size=BATCH)
        wrong = predicted != labels[remaining]
        rows += [
            {"row": row, **point, "predicted": label}
            for row, label in zip(remaining[wrong].tolist(), predicted[wrong].tolist(), strict=True)
        ]
        robust[remaining[wrong]] = False
    return robust, pd.DataFrame(rows, columns=COLUMNS)
