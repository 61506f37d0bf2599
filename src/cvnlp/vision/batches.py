"""Batches of pictures from the memory maps: (images float (B, C, H, W) in [0, 1], labels int64 (B,)); augmentation."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp import prepared

EVALUATION_BATCH = 512


class Batches:
    """Whole batches in the given order; nothing is kept in memory but the batch at hand."""

    def __init__(self, folder: Path, split: str, order: np.ndarray | None, batch_size: int) -> None:
        self.images = prepared.load_array(folder, f"{split}_images")
        self.labels = prepared.load_array(folder, f"{split}_labels")
        self.order = np.arange(len(self.labels)) if order is None else order
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.order), self.batch_size):
            chosen = self.order[start : start + self.batch_size]
            # (N, H, W, C) seen as (N, C, H, W) is what torch calls channels_last: fast, and no copy
            images = torch.from_numpy(self.images[chosen]).permute(0, 3, 1, 2)
            yield images.float() / 255, torch.from_numpy(self.labels[chosen].astype(np.int64))


def augment(images: Tensor, *, shift: float, rotation: float, scale: float) -> Tensor:
    """Each picture of (B, C, H, W) moved by up to `shift` pixels, turned by `rotation` degrees, scaled by 1 +- `scale`.

    All drawn uniformly; what comes in from outside is black. Uses torch's global random numbers.
    """
    if not (shift or rotation or scale):
        return images
    count, _, height, width = images.shape

    def draw(extent: float) -> Tensor:
        return (torch.rand(count, device=images.device) * 2 - 1) * extent

    angle, factor = draw(math.radians(rotation)), 1 + draw(scale)
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    # affine_grid measures in half sizes: a pixel is 2 / size; the ratio keeps a turn rigid on oblong pictures
    first = torch.stack([cos, -sin * height / width, draw(2 * shift / width)], dim=1)
    second = torch.stack([sin * width / height, cos, draw(2 * shift / height)], dim=1)
    with torch.autocast(images.device.type, enabled=False):  # rounded places would blur the pictures
        grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)


def train_batches(folder: Path, options: dict[str, Any], *, seed: int, epoch: int) -> Batches:
    """The training pictures in an order that `seed` and `epoch` decide."""
    count = len(prepared.load_array(folder, "train_labels"))
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return Batches(folder, "train", order, options["batch_size"])


def split_batches(folder: Path, split: str, options: dict[str, Any]) -> Batches:
    """All pictures of a split in the order they are stored; the batch size does not change a result."""
    return Batches(folder, split, None, EVALUATION_BATCH)
