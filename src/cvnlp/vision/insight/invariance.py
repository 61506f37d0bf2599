"""Invariance of the predicted class to rotation, scaling and shifts: accuracy by amount, and in the worst case."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.batches import evenly_spaced
from cvnlp.vision.inference import predict_classes

BATCH = 128  # fits the processor's cache: 1.5 times as fast as 512


def analyse_invariance(
    network: nn.Module, images: Tensor, labels: Tensor, classes: list[str], options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Return accuracies on transformed images; write the tables and examples behind them into `folder`."""
    shifts = options.shifts
    amounts = {"rotation": options.rotations, "scale": options.scales, "right": shifts, "down": shifts}
    table = accuracy_by_amount(network, images, labels, amounts)
    files.write_table(folder / "invariance.csv", table)
    chosen = evenly_spaced(len(images), options.worst_case_images)
    return {
        "accuracy_clean": accuracy(network, images, labels),
        **{f"mean_accuracy_{name}": mean for name, mean in table.groupby("transformation")["accuracy"].mean().items()},
        "worst_case_accuracy": _analyse_worst_case(network, images[chosen], labels[chosen], classes, options, folder),
    }


def _analyse_worst_case(
    network: nn.Module, images: Tensor, labels: Tensor, classes: list[str], options: VisionInsight, folder: Path
) -> float:
    limits = {"rotation": options.max_rotation, "shift": options.max_shift}
    points = rotation_shift_grid(**limits, rotations=options.rotation_steps, shifts=options.shift_steps)
    share, misclassified = worst_case(network, images, labels, points)
    row = {**limits, "points": len(points), "images": len(images), "accuracy": share}
    files.write_table(folder / "worst_case.csv", pd.DataFrame([row]))
    _save_misclassified(misclassified, images, labels, classes, options.images_per_pair, folder)
    return share


def _save_misclassified(
    misclassified: pd.DataFrame, images: Tensor, labels: Tensor, classes: list[str], count: int, folder: Path
) -> None:
    """Write some images before and after the transformation that changes their class, and a table of them."""
    shown = misclassified.iloc[evenly_spaced(len(misclassified), count)]
    rows, names = [int(row) for row in shown["row"]], np.array(classes)
    transformed = [
        transform(images[[row]], rotation=rotation, right=right, down=down)
        for row, (rotation, right, down) in zip(rows, shown[["rotation", "right", "down"]].to_numpy(float), strict=True)
    ]
    pairs = torch.stack([images[rows], torch.cat(transformed)]) if rows else images.new_zeros(2, *images[:0].shape)
    prepared.save_array(folder, "misclassified", pairs.permute(0, 1, 3, 4, 2).cpu().numpy())
    predicted = names[shown["predicted"].to_numpy(dtype=int)]
    table = shown.drop(columns="row").assign(actual=names[labels.cpu().numpy()[rows]], predicted=predicted)
    files.write_table(folder / "misclassified.csv", table)


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


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return int((predict_classes(network, images, batch_size=BATCH) == labels).sum()) / len(labels)


def accuracy_by_amount(
    network: nn.Module, images: Tensor, labels: Tensor, amounts: Mapping[str, Sequence[float]]
) -> pd.DataFrame:
    """Accuracy for every amount of every transformation; the keys of `amounts` are arguments of `transform`."""
    rows = [
        {
            "transformation": name,
            "amount": amount,
            "accuracy": accuracy(network, transform(images, **{name: amount}), labels),
        }
        for name, of_name in amounts.items()
        for amount in sorted(of_name)
    ]
    return pd.DataFrame(rows)


def rotation_shift_grid(*, rotation: float, rotations: int, shift: float, shifts: int) -> list[dict[str, float]]:
    """The grid of Engstrom et al. 2019 up to `rotation` degrees and `shift` pixels, smallest transformation first."""
    angles, distances = np.linspace(-rotation, rotation, rotations), np.linspace(-shift, shift, shifts)
    points = [
        {"rotation": float(angle), "right": float(right), "down": float(down)}
        for angle, right, down in itertools.product(angles, distances, distances)
    ]
    limits = {"rotation": rotation, "right": shift, "down": shift}
    return sorted(points, key=lambda point: round(sum(abs(point[key]) / (limits[key] or 1) for key in point), 9))


def worst_case(
    network: nn.Module, images: Tensor, labels: Tensor, points: list[dict[str, float]]
) -> tuple[float, pd.DataFrame]:
    """The share of images that are classified correctly at every point, and the first point at which others are not.

    Columns of the table: row (of the image), rotation, right, down, predicted. Images that are misclassified without a
    transformation are not listed.
    """
    remaining = (predict_classes(network, images, batch_size=BATCH) == labels).nonzero()[:, 0]
    rows = []
    for point in points:
        if not len(remaining):
            break
        predicted = predict_classes(network, transform(images[remaining], **point), batch_size=BATCH)
        wrong = predicted != labels[remaining]
        rows += [
            {"row": row, **point, "predicted": label}
            for row, label in zip(remaining[wrong].tolist(), predicted[wrong].tolist(), strict=True)
        ]
        remaining = remaining[~wrong]
    columns = ["row", "rotation", "right", "down", "predicted"]
    return len(remaining) / len(images), pd.DataFrame(rows, columns=columns)
