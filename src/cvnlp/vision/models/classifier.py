"""What all image classifiers share: images (B, C, H, W) in [0, 1] -> logits (B, classes).

Normalisation is the first step of every network, so that a change of a pixel means the same to each of them.
"""

import torch
from torch import Tensor, nn

from cvnlp.params.network_config import ImageFormat


class Classifier(nn.Module):
    """Normalises the images by the mean and standard deviation of the training images, then applies `layers`."""

    layers: nn.Module
    mean: Tensor
    std: Tensor

    def __init__(self, images: ImageFormat) -> None:
        super().__init__()
        self.shape, self.classes = images.shape, images.classes
        self.register_buffer("mean", torch.tensor(images.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(images.std).clamp(min=1e-3).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers((images - self.mean) / self.std)
