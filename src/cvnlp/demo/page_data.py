"""What the page loads of a network or of examples, and its files: NAME.json, and NAME.bin, compressed by gzip.

The description has a table `arrays`: name -> type, shape and the place of the first byte, a multiple of eight.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files

ALIGNMENT = 8  # bytes: JavaScript's typed arrays begin at multiples of the size of a number
LEVEL = 6  # of compression


@dataclass(frozen=True)
class PageData:
    """`description` as JSON, and `arrays` as binary data."""

    description: dict[str, Any]
    arrays: dict[str, np.ndarray]


class UnsupportedNetworkError(ValueError):
    """The page lacks an operation of the network; the message names it."""


def write_page_data(folder: Path, name: str, data: PageData) -> None:
    """Equal data give equal bytes."""
    table: dict[str, dict[str, Any]] = {}
    content = bytearray()
    for key, array in data.arrays.items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        table[key] = {"type": array.dtype.name, "shape": list(array.shape), "start": len(content)}
        content += little.tobytes()
        content += bytes(-len(content) % ALIGNMENT)
    text = json.dumps(data.description | {"arrays": table}, ensure_ascii=False, allow_nan=False)
    files.write_text(folder / f"{name}.json", text + "\n")
    if content:
        with files.atomic_write(folder / f"{name}.bin") as partial:
            partial.write_bytes(gzip.compress(bytes(content), LEVEL, mtime=0))
