"""What all image classifiers share: pictures (B, C, H, W) in [0, 1] -> logits (B, classes).

Normalisation is the first step of every network, so that a change of a pixel means the same to each of them.
Arguments before the `*` come from the data set, those after it from params.yaml.
"""

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """What all classifiers share; `shape` is (H, W, C), `mean` and `std` are of the training pictures, per channel."""

    layers: nn.Module
    mean: Tensor
    std: Tensor

    def __init__(self, shape: list[int], classes: int, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).clamp(min=1e-3).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers((images - self.mean) / self.std)
