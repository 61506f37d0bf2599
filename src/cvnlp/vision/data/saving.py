"""Write prepared images: the arrays chunk by chunk, their statistics, and the tables of duplicates and files."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.data import duplicates, prepared
from cvnlp.vision.data.image_set import ImageSet

CHUNK_BYTES = 2**20

Parts = Mapping[str, np.ndarray]


class Statistics:
    """Mean and standard deviation of each channel, pixels in [0, 1], from sums of integers.

    Integers make the result independent of the chunks.
    """

    def __init__(self, channels: int) -> None:
        self._pixels = 0
        self._sums = [0] * channels
        self._squares = [0] * channels

    def add(self, images: np.ndarray) -> None:
        self._pixels += math.prod(images.shape[:-1])
        for channel in range(len(self._sums)):
            values = images[..., channel]
            self._sums[channel] += int(values.sum(dtype=np.uint64))
            self._squares[channel] += int(np.square(values, dtype=np.uint16).sum(dtype=np.uint64))

    def facts(self) -> dict[str, list[float]]:
        count, both = self._pixels, list(zip(self._sums, self._squares, strict=True))
        return {
            "mean": [total / count / 255 for total, _ in both],
            "std": [math.sqrt((count * squares - total**2) / count**2) / 255 for total, squares in both],
        }


def in_chunks(indices: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Split indices into chunks whose rows, uint8 of `shape`, have at most `CHUNK_BYTES`."""
    size = max(1, CHUNK_BYTES // math.prod(shape))
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def compute_digests(images: ImageSet) -> np.ndarray:
    """Digests uint64 (N, 2) of the pixels, unless decoding has already computed them."""
    if images.digests is not None:
        return images.digests
    found = np.empty((len(images.labels), 2), dtype=np.uint64)
    for chunk in in_chunks(np.arange(len(found)), images.shape):
        found[chunk] = [duplicates.digest(pixels.tobytes()) for pixels in images.rows(chunk)]
    return found


def save_arrays(folder: Path, images: ImageSet, parts: Parts) -> dict[str, list[float]]:
    """Write `<split>_images` and `<split>_labels`; returns mean and standard deviation of the training pixels."""
    statistics = Statistics(images.shape[-1])
    dtype = np.uint8 if len(images.classes) <= 256 else np.uint16
    for split, indices in parts.items():
        with prepared.open_array_writer(folder, f"{split}_images", np.uint8, images.shape) as append:
            for chunk in in_chunks(indices, images.shape):
                pixels = images.rows(chunk)
                append(pixels)
                if split == "train":
                    statistics.add(pixels)
        with prepared.open_array_writer(folder, f"{split}_labels", dtype, ()) as append:
            append(images.labels[indices])
    return statistics.facts()


def save_tables(folder: Path, images: ImageSet, parts: Parts, digests: np.ndarray) -> None:
    """Write duplicates.csv and, for a user's files, files.csv (the file of each row) and skipped.csv."""
    header = ["split", "row", "copy_split", "copy_row"]
    named = ["file", "copy_file"] if images.name else []
    files.write_rows(folder / "duplicates.csv", [*header, *named], _copies(images, parts, digests))
    if images.name:
        files.write_rows(folder / "files.csv", ["split", "row", "class", "file"], _origins(images, parts, images.name))
    if images.skipped is not None:
        images.skipped.save(folder / "skipped.csv")


def _copies(images: ImageSet, parts: Parts, digests: np.ndarray) -> Iterator[list[Any]]:
    for split, index, copy_split, copy_index in duplicates.pairs(digests, parts):
        rows = [int(np.searchsorted(parts[part], at)) for part, at in ((split, index), (copy_split, copy_index))]
        names = [images.name(index), images.name(copy_index)] if images.name else []
        yield [split, rows[0], copy_split, rows[1], *names]


def _origins(images: ImageSet, parts: Parts, name: Callable[[int], str]) -> Iterator[list[Any]]:
    for split, indices in parts.items():
        for row, index in enumerate(indices):
            yield [split, row, images.classes[images.labels[index]], name(index)]
