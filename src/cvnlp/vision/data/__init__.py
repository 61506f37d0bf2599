"""Pictures, published or a user's own, to uint8 arrays (N, H, W, C) on disk, split by seed and class. No torch."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import duplicates as copies
from cvnlp import prepared
from cvnlp.sources.catalogue import SOURCES
from cvnlp.vision.data.decoding import Form
from cvnlp.vision.data.folder import list_pictures
from cvnlp.vision.data.own import read_own
from cvnlp.vision.data.pictures import Pictures, check_space
from cvnlp.vision.data.published import READERS
from cvnlp.vision.data.splits import Request, carve, check_request
from cvnlp.vision.data.writing import find_digests, save_arrays, save_tables


def prepare(
    raw: Path,
    folder: Path,
    *,
    seed: int,
    validation: int | float | None,
    test: int | float | None,
    duplicates: str,
    **reading: Any,
) -> dict[str, Any]:
    """Read, split and write a data set; returns its facts.

    `reading` is the `source` of published pictures, with `raw` the folder where such are kept; or, where `raw` is a
    user's folder, `size`, `fit`, `colour`, `background` and `max_skipped`. `validation` and `test` are drawn by `seed`
    from the rest, which is for training: a number of pictures in all, a share of every class, or None where the data
    brings that split. `duplicates` is `keep`, or `drop`: before drawing, copies of what else is there or held out go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    request = {"validation": validation, "test": test}
    with _disk_named(folder), contextlib.ExitStack() as stack:
        pictures = _read(raw, folder, request, **reading)
        stack.callback(pictures.close)
        check_space(folder, len(pictures.labels) * math.prod(pictures.shape))
        found = find_digests(pictures)
        kept = copies.drop(found, pictures.given) if duplicates == "drop" else pictures.given
        parts = carve(pictures.labels, pictures.classes, kept, request, seed=seed)
        facts = {
            **_origin(pictures, **reading),
            **_description(pictures, parts),
            **save_arrays(folder, pictures, parts),
            "conflicting": _conflicting(found, pictures.labels),
            "duplicates": copies.count(found, parts)
            | {"dropped": {split: len(given) - len(kept[split]) for split, given in pictures.given.items()}},
        }
        save_tables(folder, pictures, parts, found)
        prepared.save_facts(folder, facts, [f"{split}_{kind}" for split in parts for kind in ("images", "labels")])
    return facts


@contextlib.contextmanager
def _disk_named(folder: Path) -> Iterator[None]:
    """The system's error for a full disk does not say which."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(folder)
        raise


def _read(raw: Path, folder: Path, request: Request, **reading: Any) -> Pictures:
    if source := reading.get("source"):
        check_request(("train", *SOURCES[source].held_out), request, f"the source {source}")
        return READERS[source](raw)
    listing = list_pictures(raw)
    check_request(listing.given, request, listing.origin)
    max_skipped = reading.pop("max_skipped")
    height, width = reading.pop("size")
    return read_own(listing, folder, Form(size=(height, width), **reading), max_skipped=max_skipped)


def _origin(pictures: Pictures, *, source: str | None = None, **_: Any) -> dict[str, Any]:
    if source:
        return {"source": source, "licence": SOURCES[source].licence, "citation": SOURCES[source].citation}
    skipped = len(pictures.skipped or ())
    return {
        "source": "own files",
        "licence": "the user's own",
        "citation": "",
        "read": len(pictures.labels),
        "skipped": skipped,
    }


def _description(pictures: Pictures, parts: dict[str, np.ndarray]) -> dict[str, Any]:
    counts = {
        split: np.bincount(pictures.labels[indices], minlength=len(pictures.classes)).tolist()
        for split, indices in parts.items()
    }
    return {
        "domain": "vision",
        "classes": pictures.classes,
        "shape": list(pictures.shape),
        "counts": {split: dict(zip(pictures.classes, of_split, strict=True)) for split, of_split in counts.items()},
    }


def _conflicting(digests: np.ndarray, labels: np.ndarray) -> int:
    """How many contents stand under more than one class."""
    order = np.lexsort((labels, digests[:, 1], digests[:, 0]))
    same = (digests[order[1:]] == digests[order[:-1]]).all(1)
    content = np.concatenate([[0], np.cumsum(~same)])
    differs = labels[order[1:]] != labels[order[:-1]]
    return len(np.unique(content[1:][same & differs]))
