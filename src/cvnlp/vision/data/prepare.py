"""Pictures, published or a user's own, to uint8 arrays (N, H, W, C) on disk, split by seed and class. No torch."""

import contextlib
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.catalogue import SOURCES
from cvnlp.data import duplicates as copies
from cvnlp.data import prepared
from cvnlp.vision.data.canvases import Composer, add_background, needed, save_canvases
from cvnlp.vision.data.decoding import Form
from cvnlp.vision.data.folder import list_pictures
from cvnlp.vision.data.own import read_own
from cvnlp.vision.data.pictures import Pictures, Staging, check_space
from cvnlp.vision.data.published import READERS
from cvnlp.vision.data.splits import Request, carve, check_request
from cvnlp.vision.data.writing import find_digests, save_arrays, save_tables

ARRAYS = [f"{split}_{kind}" for split in prepared.SPLITS for kind in ("images", "labels")]


def prepare(
    raw: Path,
    folder: Path,
    *,
    seed: int,
    validation: int | float | None,
    test: int | float | None,
    duplicates: str,
    canvases: dict[str, Any] | None = None,
    **reading: Any,
) -> dict[str, Any]:
    """Read, split and write a data set; returns its facts.

    `reading` is the `source` of published pictures, with `raw` the folder where such are kept; or, where `raw` is a
    user's folder, `size`, `fit`, `colour`, `background` and `max_skipped`. `validation` and `test` are drawn by `seed`
    from the rest, which is for training: a number of pictures in all, a share of every class, or None where the data
    brings that split. `duplicates` is `keep`, or `drop`: before drawing, copies of what else is there or held out go.
    With `canvases` (`count`, `size`, `pictures`, `background`) every split gets pictures of a class background, which
    stand after those that were read; copies and conflicts are told of the latter alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    request = {"validation": validation, "test": test}
    with files.named_in_errors(folder), contextlib.ExitStack() as stack:
        pictures = _read(raw, folder, request, **reading)
        stack.callback(pictures.close)
        _check_space(folder, pictures, canvases)
        found = find_digests(pictures)
        kept = copies.drop(found, pictures.given) if duplicates == "drop" else pictures.given
        parts = carve(pictures.labels, pictures.classes, kept, request, seed=seed)
        written, more, arrays = dataclasses.replace(pictures, given=parts), {}, ARRAYS
        if canvases:
            ground = 255 if reading.get("background") == "white" else 0
            written = _with_canvases(written, folder, stack, canvases, ground=ground, seed=seed)
            more, arrays = {"canvases": canvases}, [*ARRAYS, "validation_canvases"]
        facts = {
            **_origin(pictures, **reading),
            **_description(written),
            **save_arrays(folder, written, written.given),
            **more,
            "conflicting": _conflicting(found, pictures.labels),
            "duplicates": copies.count(found, parts) | {"dropped": _dropped(pictures.given, kept)},
        }
        save_tables(folder, pictures, parts, found)
        prepared.save_facts(folder, facts, arrays)
    return facts


def _check_space(folder: Path, pictures: Pictures, canvases: dict[str, Any] | None) -> None:
    total = len(pictures.labels)
    made = needed(pictures.shape, total, **canvases) if canvases else 0
    check_space(folder, total * math.prod(pictures.shape) + made)


def _with_canvases(
    pictures: Pictures, folder: Path, stack: contextlib.ExitStack, canvases: dict[str, Any], *, ground: int, seed: int
) -> Pictures:
    """Writes the canvases; returns the pictures with those of the background in every split."""
    composer = Composer(pictures, tuple(canvases["size"]), canvases["pictures"], ground)
    staging = stack.enter_context(contextlib.closing(Staging(folder, pictures.shape)))
    save_canvases(composer, folder, count=canvases["count"], seed=seed)
    return add_background(composer, staging, share=canvases["background"], seed=seed)


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


def _description(pictures: Pictures) -> dict[str, Any]:
    counts = {
        split: np.bincount(pictures.labels[indices], minlength=len(pictures.classes)).tolist()
        for split, indices in pictures.given.items()
    }
    return {
        "domain": "vision",
        "classes": pictures.classes,
        "shape": list(pictures.shape),
        "counts": {split: dict(zip(pictures.classes, of_split, strict=True)) for split, of_split in counts.items()},
    }


def _dropped(given: dict[str, np.ndarray], kept: dict[str, np.ndarray]) -> dict[str, int]:
    return {split: len(indices) - len(kept[split]) for split, indices in given.items()}


def _conflicting(digests: np.ndarray, labels: np.ndarray) -> int:
    """How many contents stand under more than one class."""
    order = np.lexsort((labels, digests[:, 1], digests[:, 0]))
    same = (digests[order[1:]] == digests[order[:-1]]).all(1)
    content = np.concatenate([[0], np.cumsum(~same)])
    differs = labels[order[1:]] != labels[order[:-1]]
    return len(np.unique(content[1:][same & differs]))
