"""Prepared arrays on disk: one .npy file each, written atomically and opened as read-only memory maps."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cvnlp import files

SPLITS = ("train", "validation", "test")
REMEDY = "remove the folder and run `dvc repro`"


def save_array(folder: Path, name: str, array: np.ndarray) -> None:
    with files.atomic_write(folder / f"{name}.npy") as partial, partial.open("wb") as file:
        np.save(file, array)


@contextlib.contextmanager
def open_array_writer(
    folder: Path, name: str, dtype: Any, shape: tuple[int, ...]
) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that appends rows of `shape` to a new array of unknown length.

    Rows are written to disk at once, so the array may be larger than memory. The file appears at the end, complete.
    ValueError for rows of another shape.
    """
    rows = 0
    with files.atomic_write(folder / f"{name}.npy") as partial, partial.open("wb") as file:

        def append(more: np.ndarray) -> None:
            nonlocal rows
            if more.shape[1:] != shape:
                raise ValueError(
                    f"rows of shape {more.shape[1:]} do not fit into {name}, whose rows have shape {shape}"
                )
            file.write(np.ascontiguousarray(more, dtype=dtype).data)
            rows += len(more)

        _write_header(file, dtype, (0, *shape))
        yield append
        file.seek(0)
        _write_header(file, dtype, (rows, *shape))


def _write_header(file: BinaryIO, dtype: Any, shape: tuple[int, ...]) -> None:
    # numpy pads the header for a first dimension of any length, for arrays that grow in this way
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": description, "fortran_order": False, "shape": shape})


def load_array(folder: Path, name: str) -> np.ndarray:
    """Open an array as a read-only memory map; ValueError if the file is missing, truncated or not an array."""
    path = folder / f"{name}.npy"
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is missing or incomplete ({error}): {REMEDY}") from None
