"""Images that were read but are not yet split: their pixels stay on disk, labels and digests are in memory."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvnlp.data.user_files import SkippedFiles

Rows = Callable[[np.ndarray], np.ndarray]


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class ImageSet:
    """N images and where their pixels are.

    `labels` (N,); `shape` (H, W, C); `rows`: indices (n,) -> uint8 (n, H, W, C). `given`: the indices of each split of
    the data set, in ascending order; missing splits are drawn from `train`. `digests` uint64 (N, 2), if already known.
    `name`: index -> file of a user's image. `close` frees the resources of `rows`.
    """

    classes: list[str]
    labels: np.ndarray
    shape: tuple[int, int, int]
    rows: Rows
    given: dict[str, np.ndarray]
    digests: np.ndarray | None = None
    name: Callable[[int], str] | None = None
    skipped: SkippedFiles | None = None
    close: Callable[[], None] = _nothing


def of_arrays(images: np.ndarray, labels: np.ndarray, classes: list[str]) -> ImageSet:
    """Images in memory, uint8 (N, H, W, C), all of them for training."""
    given = {"train": np.arange(len(labels))}
    return ImageSet(classes, labels, images.shape[1:], lambda indices: images[indices], given)


class Staging:
    """Rows of uint8 in a temporary file without a name, which disappears with the process however it ends."""

    def __init__(self, folder: Path, shape: tuple[int, ...]) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  it outlives this function
        self._shape = shape
        self._count = 0

    def append(self, rows: np.ndarray) -> None:
        self._file.write(np.ascontiguousarray(rows, dtype=np.uint8).data)
        self._count += len(rows)

    def rows(self, indices: np.ndarray) -> np.ndarray:
        self._file.flush()
        # a new map each time: the pages of an old one would stay in memory
        return np.asarray(np.memmap(self._file, np.uint8, "r", shape=(self._count, *self._shape))[indices])

    def close(self) -> None:
        self._file.close()


def check_space(folder: Path, needed: int) -> None:
    """OSError if the disk has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{folder} needs {needed / 1e6:,.0f} MB of disk, but {free / 1e6:,.0f} MB are free: "
            "make room, or choose smaller images"
        )
