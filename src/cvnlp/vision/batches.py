"""Batches of pictures from the memory maps: (images float (B, C, H, W) in [0, 1], labels int64 (B,))."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
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


def train_batches(folder: Path, options: dict[str, Any], *, seed: int, epoch: int) -> Batches:
    """The training pictures in an order that `seed` and `epoch` decide."""
    count = len(prepared.load_array(folder, "train_labels"))
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return Batches(folder, "train", order, options["batch_size"])


def split_batches(folder: Path, split: str, options: dict[str, Any]) -> Batches:
    """All pictures of a split in the order they are stored; the batch size does not change a result."""
    return Batches(folder, split, None, EVALUATION_BATCH)
