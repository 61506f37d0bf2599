"""Invariance of the predicted class to rotation, scaling and shifts: accuracy by amount, and in the worst case."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.batches import evenly_spaced
from cvnlp.vision.inference import predict_classes
from cvnlp.vision.inference.spatial import BATCH, first_failures, rotation_shift_grid, transform


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
    robust, misclassified = first_failures(network, images, labels, points)
    share = int(robust.sum()) / len(images)
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
