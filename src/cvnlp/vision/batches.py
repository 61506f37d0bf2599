"""Batches of images, read from the memory maps of a prepared data set, or cut on a GPU that holds all of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.launch.slices import WHOLE, BatchSlices
from cvnlp.params.runs import VisionTrain

EVALUATION_BATCH_SIZE = 512


class ImageBatch(NamedTuple):
    """`images` float (B, C, H, W) in [0, 1]; `labels` int64 (B,); `rows` int64 (B,): their row numbers in the split."""

    images: Tensor
    labels: Tensor
    rows: Tensor


class Filler(ImageBatch):
    """An image of another process, for one that has none of a small batch; it must not change the result."""


class Batches:
    """The rows `order` of a split in batches of `batch_size`; only the current batch is in memory.

    `order`: row numbers, by default all in stored order. `flipped` bool (N,): the images of the split that are flipped
    from left to right, by default none. `slices`: the part of every batch that this process reads; in how many pieces.
    Where a batch has fewer images than there are pieces, `filled` ones repeat an image, and others are left out.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        order: np.ndarray | None,
        batch_size: int,
        *,
        flipped: np.ndarray | None = None,
        slices: BatchSlices = WHOLE,
        filled: bool = True,
    ) -> None:
        self.images = prepared.load_array(folder, f"{split}_images")
        self.labels = prepared.load_array(folder, f"{split}_labels")
        self.order = np.arange(len(self.labels)) if order is None else order
        self.batch_size, self.flipped = batch_size, flipped
        self.slices, self.filled = slices, filled

    def __len__(self) -> int:
        """Number of pieces that `pieces` yields, if they are filled."""
        return -(-len(self.order) // self.batch_size) * self.slices.accumulate

    def __iter__(self) -> Iterator[ImageBatch]:
        return self.starting_at(0)

    def starting_at(self, number: int) -> Iterator[ImageBatch]:
        """From the batch with this number on."""
        for begin, end, filler in self.pieces(number):
            batch = self._read(self.order[begin:end])
            yield Filler(*batch) if filler else batch

    def pieces(self, first: int) -> Iterator[tuple[int, int, bool]]:
        """Begin and end in `order` of every piece that this process reads, and whether it is a filler."""
        for start in range(first * self.batch_size, len(self.order), self.batch_size):
            for piece in self.slices.cut(min(self.batch_size, len(self.order) - start)):
                if piece.start < piece.stop:
                    yield start + piece.start, start + piece.stop, False
                elif self.filled:
                    yield start + piece.start, start + piece.start + 1, True

    def _read(self, rows: np.ndarray) -> ImageBatch:
        pixels = self.images[rows]  # a copy
        if self.flipped is not None:
            flipped = self.flipped[rows]
            pixels[flipped] = pixels[flipped][:, :, ::-1]
        labels = torch.from_numpy(self.labels[rows].astype(np.int64))
        return ImageBatch(to_tensor(pixels), labels, torch.from_numpy(rows))


class DeviceBatches:
    """The same batches, cut on the device where `images` and `labels`, the arrays of the split, are."""

    def __init__(self, batches: Batches, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels, self.batches = images, labels, batches
        self.order = torch.from_numpy(batches.order).to(images.device)
        self.flipped = None if batches.flipped is None else torch.from_numpy(batches.flipped).to(images.device)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[ImageBatch]:
        return self.starting_at(0)

    def starting_at(self, number: int) -> Iterator[ImageBatch]:
        for begin, end, filler in self.batches.pieces(number):
            rows = self.order[begin:end]
            pixels = self.images[rows]
            if self.flipped is not None:
                pixels = torch.where(self.flipped[rows].view(-1, 1, 1, 1), pixels.flip(2), pixels)
            yield (Filler if filler else ImageBatch)(scale(pixels), self.labels[rows].long(), rows)


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Convert uint8 (N, H, W, C) to float32 (N, C, H, W) in [0, 1], in torch's memory format channels_last."""
    return scale(torch.from_numpy(pixels))


def scale(pixels: Tensor) -> Tensor:
    """As `to_tensor`, from a tensor."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def train_batches(
    folder: Path,
    options: VisionTrain,
    *,
    seed: int,
    epoch: int,
    kept: np.ndarray | None = None,
    flipped: np.ndarray | None = None,
    slices: BatchSlices = WHOLE,
) -> Batches:
    """The training images in a random order, which `seed` and `epoch` decide.

    `kept` bool (N,): the images to read, by default all; `flipped` bool (N,): those to flip from left to right.
    """
    order = np.random.default_rng((seed, epoch)).permutation(count_images(folder, "train"))
    order = order if kept is None else order[kept[order]]
    return Batches(folder, "train", order, options.batch_size, flipped=flipped, slices=slices)


def count_images(folder: Path, split: str) -> int:
    return len(prepared.load_array(folder, f"{split}_labels"))


def validation_batches(folder: Path, options: VisionTrain, *, slices: BatchSlices = WHOLE) -> Batches:
    """The validation split in stored order, whatever the options of the training; no process reads an image twice."""
    return Batches(folder, "validation", None, EVALUATION_BATCH_SIZE, slices=slices, filled=False)


def split_batches(folder: Path, split: str, *, batch_size: int = EVALUATION_BATCH_SIZE) -> Batches:
    """All images of a split in stored order."""
    return Batches(folder, split, None, batch_size)


def object_rows(folder: Path, split: str, facts: VisionFacts) -> np.ndarray:
    """Row numbers of the images of objects: all but those of the background class, if there is one.

    Scores are of these images, so that networks with and without a background class can be compared.
    """
    labels = prepared.load_array(folder, f"{split}_labels")
    return np.arange(len(labels)) if facts.background is None else np.flatnonzero(labels != facts.background)


def evenly_spaced(total: int, count: int) -> np.ndarray:
    """At most `count` of the row numbers 0 to `total` - 1, at equal distances, with the first and the last."""
    return np.linspace(0, total - 1, min(count, total)).astype(int)
