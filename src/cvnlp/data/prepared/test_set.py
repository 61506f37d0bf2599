"""Which test examples an evaluation has used: their number and a digest, so that only equal sets are compared."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cvnlp import files

FILE = "test_set.json"


def save_test_set(folder: Path, count: int, parts: Iterable[np.ndarray | bytes]) -> None:
    """Write the number of examples, and the SHA-256 of `parts` in their order, into `folder`."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part)
    files.write_json(folder / FILE, {"examples": count, "sha256": digest.hexdigest()})


def read_test_digest(folder: Path) -> str | None:
    """The digest that `save_test_set` has written into `folder`; None if there is none."""
    path = folder / FILE
    return str(files.read_json(path)["sha256"]) if path.is_file() else None
