"""Prepared pictures on disk: arrays row by row, what the training pixels are like, and where every row came from."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.data import duplicates, prepared
from cvnlp.vision.data.pictures import Pictures

PIECE_BYTES = 2**20

Parts = Mapping[str, np.ndarray]


class Statistics:
    """Mean and deviation of each channel in unit range, from whole numbers: the size of the pieces changes no bit."""

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


def in_pieces(indices: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    size = max(1, PIECE_BYTES // math.prod(shape))
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def find_digests(pictures: Pictures) -> np.ndarray:
    """As they were found in decoding, else from the pixels."""
    if pictures.digests is not None:
        return pictures.digests
    found = np.empty((len(pictures.labels), 2), dtype=np.uint64)
    for piece in in_pieces(np.arange(len(found)), pictures.shape):
        found[piece] = [duplicates.digest(image.tobytes()) for image in pictures.rows(piece)]
    return found


def save_arrays(folder: Path, pictures: Pictures, parts: Parts) -> dict[str, list[float]]:
    """`<split>_images` and `<split>_labels`; returns mean and deviation of the training pixels."""
    statistics = Statistics(pictures.shape[-1])
    dtype = np.uint8 if len(pictures.classes) <= 256 else np.uint16
    for split, indices in parts.items():
        with prepared.open_array_writer(folder, f"{split}_images", np.uint8, pictures.shape) as append:
            for piece in in_pieces(indices, pictures.shape):
                images = pictures.rows(piece)
                append(images)
                if split == "train":
                    statistics.add(images)
        with prepared.open_array_writer(folder, f"{split}_labels", dtype, ()) as append:
            append(pictures.labels[indices])
    return statistics.facts()


def save_tables(folder: Path, pictures: Pictures, parts: Parts, found: np.ndarray) -> None:
    """duplicates.csv; of a user's files also files.csv, which one each row came from, and skipped.csv."""
    header = ["split", "row", "copy_split", "copy_row"]
    named = ["file", "copy_file"] if pictures.name else []
    files.write_rows(folder / "duplicates.csv", [*header, *named], _copies(pictures, parts, found))
    if pictures.name:
        files.write_rows(
            folder / "files.csv", ["split", "row", "class", "file"], _origins(pictures, parts, pictures.name)
        )
    if pictures.skipped is not None:
        pictures.skipped.save(folder / "skipped.csv")


def _copies(pictures: Pictures, parts: Parts, found: np.ndarray) -> Iterator[list[Any]]:
    for split, index, copy_split, copy_index in duplicates.pairs(found, parts):
        rows = [int(np.searchsorted(parts[part], at)) for part, at in ((split, index), (copy_split, copy_index))]
        names = [pictures.name(index), pictures.name(copy_index)] if pictures.name else []
        yield [split, rows[0], copy_split, rows[1], *names]


def _origins(pictures: Pictures, parts: Parts, name: Callable[[int], str]) -> Iterator[list[Any]]:
    for split, indices in parts.items():
        for row, index in enumerate(indices):
            yield [split, row, pictures.classes[pictures.labels[index]], name(index)]
