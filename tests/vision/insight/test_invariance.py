"""Invariance: accuracy by the amount of a transformation."""

import torch
from torch import Tensor, nn

from cvnlp.vision.insight.invariance import accuracy_by_amount


class BrightestRow(nn.Module):
    """Predicts the brightest row of the image."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0].mean(2)


def bars(rows: list[int]) -> tuple[Tensor, Tensor]:
    """Images of 9 x 9 with one bright row, and its number as the label."""
    images = torch.zeros(len(rows), 1, 9, 9)
    for image, row in zip(images, rows, strict=True):
        image[0, row] = 1
    return images, torch.tensor(rows)


def test_table_has_the_accuracy_at_every_amount() -> None:
    images, labels = bars([1, 2, 3, 4])
    table = accuracy_by_amount(BrightestRow(), images, labels, {"right": [0.0, 2.0, -2.0], "down": [0.0, 1.0]})
    assert table.to_dict("list") == {
        "transformation": ["right", "right", "right", "down", "down"],
        "amount": [-2.0, 0.0, 2.0, 0.0, 1.0],
        "accuracy": [1.0, 1.0, 1.0, 1.0, 0.0],
    }
