"""Prepared data on disk: .npy arrays, opened as memory maps, and facts.json, written last: its presence means done."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cvnlp import files

SPLITS = ("train", "validation", "test")


def save_array(folder: Path, name: str, array: np.ndarray) -> None:
    with files.whole(folder / f"{name}.npy") as partial, partial.open("wb") as file:
        np.save(file, array)


@contextlib.contextmanager
def writing(folder: Path, name: str, dtype: Any, shape: tuple[int, ...]) -> Iterator[Callable[[np.ndarray], None]]:
    """Append rows of `shape` to a new array whose length need not be known; at the end it is whole, or absent.

    Nothing is kept in memory: an array may be larger than it.
    """
    rows = 0
    with files.whole(folder / f"{name}.npy") as partial, partial.open("wb") as file:

        def append(more: np.ndarray) -> None:
            nonlocal rows
            if more.shape[1:] != shape:
                raise ValueError(f"rows of shape {more.shape[1:]} do not fit into {name}, whose rows are {shape}")
            file.write(np.ascontiguousarray(more, dtype=dtype).data)
            rows += len(more)

        _write_header(file, dtype, (0, *shape))
        yield append
        file.seek(0)
        _write_header(file, dtype, (rows, *shape))


def _write_header(file: BinaryIO, dtype: Any, shape: tuple[int, ...]) -> None:
    # numpy leaves room in the header for a first dimension of any length, for arrays that grow in just this way
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": description, "fortran_order": False, "shape": shape})


def save_facts(folder: Path, facts: dict[str, Any], arrays: Iterable[str]) -> None:
    """Record what was prepared, with the size of every array, by which `facts` knows a cut file, and its digest."""
    described = {
        name: {"bytes": int(load_array(folder, name).nbytes), "sha256": files.sha256(folder / f"{name}.npy")}
        for name in arrays
    }
    files.write_json(folder / "facts.json", facts | {"arrays": described})


def facts(folder: Path) -> dict[str, Any]:
    """The facts of a prepared data set, after checking that every array is there and whole; ValueError if not."""
    path = folder / "facts.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no prepared data (facts.json is missing): run `dvc repro prepare`")
    found: dict[str, Any] = files.read_json(path)
    if "arrays" not in found:
        raise ValueError(f"{path} is not of this version: {_REMEDY}")
    for name, array in found["arrays"].items():
        if load_array(folder, name).nbytes != array["bytes"]:
            raise ValueError(f"{folder / name}.npy does not hold the bytes that facts.json states: {_REMEDY}")
    return found


def load_array(folder: Path, name: str) -> np.ndarray:
    """A read-only memory map; ValueError if the file is missing, cut or no array."""
    path = folder / f"{name}.npy"
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is missing or not whole ({error}): {_REMEDY}") from None


_REMEDY = "remove the folder and run `dvc repro`"
