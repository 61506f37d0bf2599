"""Pictures that were read and are not yet split: all but labels and digests stays on disk."""

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
class Pictures:
    """N pictures; an index is a place among them."""

    classes: list[str]
    labels: np.ndarray  # (N,)
    shape: tuple[int, int, int]  # H, W, C
    rows: Rows  # indices (n,) -> uint8 (n, H, W, C)
    given: dict[str, np.ndarray]  # split -> its indices, rising; from `train` the splits are drawn that are missing
    digests: np.ndarray | None = None  # uint64 (N, 2)
    name: Callable[[int], str] | None = None  # of the file that a picture came from
    skipped: SkippedFiles | None = None
    close: Callable[[], None] = _nothing


def of_arrays(images: np.ndarray, labels: np.ndarray, classes: list[str]) -> Pictures:
    """Pictures in memory, none of them held out."""
    given = {"train": np.arange(len(labels))}
    return Pictures(classes, labels, images.shape[1:], lambda indices: images[indices], given)


class Staging:
    """Rows on disk in a file without a name, which is gone with the process, however that ends."""

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
    """OSError if the disk cannot take so many bytes more."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{folder} needs {needed / 1e6:,.0f} MB of disk, but {free / 1e6:,.0f} MB are free: "
            "make room, or choose smaller pictures"
        )
