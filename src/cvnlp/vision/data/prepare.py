"""Pictures, published or a user's own, to uint8 arrays (N, H, W, C) on disk, split by seed and class. No torch."""

import contextlib
import dataclasses
import math
from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.catalogue import SOURCES
from cvnlp.data import duplicates as copies
from cvnlp.data import prepared
from cvnlp.data.prepared import DuplicateCounts, VisionFacts, describe_arrays, save_facts
from cvnlp.params.datasets import Canvases, OwnPictures, VisionDataset
from cvnlp.vision.data.canvases import Composer, add_background, needed, save_canvases
from cvnlp.vision.data.decoding import Form
from cvnlp.vision.data.folder import list_pictures
from cvnlp.vision.data.own import read_own
from cvnlp.vision.data.pictures import Pictures, Staging, check_space
from cvnlp.vision.data.published import READERS
from cvnlp.vision.data.splits import Request, carve, check_request
from cvnlp.vision.data.writing import find_digests, save_arrays, save_tables

ARRAYS = [f"{split}_{kind}" for split in prepared.SPLITS for kind in ("images", "labels")]


def prepare(raw: Path, folder: Path, options: VisionDataset | OwnPictures) -> VisionFacts:
    """Read, split and write a data set into `folder`; returns its facts.

    `raw` is the folder where published files are kept, or the user's own folder of images. `validation` and `test` of
    the options are drawn by `seed` from the remaining images, which are for training: a number of images in all, a
    share of every class, or None where the data brings that split. `duplicates: drop` removes copies before drawing.
    With `canvases` every split also gets images of a class background, after the others; duplicates and conflicting
    labels are counted without them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    request = {"validation": options.validation, "test": options.test}
    with files.add_path_to_errors(folder), contextlib.ExitStack() as stack:
        pictures = _read(raw, folder, request, options)
        stack.callback(pictures.close)
        _check_space(folder, pictures, options.canvases)
        digests = find_digests(pictures)
        kept = copies.drop(digests, pictures.given) if options.duplicates == "drop" else pictures.given
        parts = carve(pictures.labels, pictures.classes, kept, request, seed=options.seed)
        written = dataclasses.replace(pictures, given=parts)
        if options.canvases:
            written = _with_canvases(written, folder, stack, options)
        return _write(folder, pictures, written, digests, kept, options)


def _write(
    folder: Path,
    pictures: Pictures,
    written: Pictures,
    digests: np.ndarray,
    kept: dict[str, np.ndarray],
    options: VisionDataset | OwnPictures,
) -> VisionFacts:
    """Write arrays, tables and facts. `written`: the images after drawing the splits, with those of canvases."""
    statistics = save_arrays(folder, written, written.given)
    parts = {split: indices[indices < len(pictures.labels)] for split, indices in written.given.items()}
    save_tables(folder, pictures, parts, digests)
    counts = copies.count(digests, parts)
    source, licence, citation = _origin(options)
    facts = VisionFacts(
        source=source,
        licence=licence,
        citation=citation,
        read=None if isinstance(options, VisionDataset) else len(pictures.labels),
        skipped=None if isinstance(options, VisionDataset) else len(pictures.skipped or ()),
        classes=list(written.classes),
        shape=list(written.shape),
        counts=_counts(written),
        mean=statistics["mean"],
        std=statistics["std"],
        canvases=options.canvases,
        conflicting=_conflicting(digests, pictures.labels),
        duplicates=DuplicateCounts(within=counts.within, across=counts.across, dropped=_dropped(pictures.given, kept)),
        arrays=describe_arrays(folder, [*ARRAYS, "validation_canvases"] if options.canvases else ARRAYS),
    )
    save_facts(folder, facts)
    return facts


def _check_space(folder: Path, pictures: Pictures, canvases: Canvases | None) -> None:
    total = len(pictures.labels)
    made = needed(pictures.shape, total, canvases) if canvases else 0
    check_space(folder, total * math.prod(pictures.shape) + made)


def _with_canvases(
    pictures: Pictures, folder: Path, stack: contextlib.ExitStack, options: VisionDataset | OwnPictures
) -> Pictures:
    """Write the canvases; returns the images with those of the background in every split."""
    canvases = options.canvases
    if canvases is None:
        return pictures
    ground = 255 if isinstance(options, OwnPictures) and options.background == "white" else 0
    composer = Composer(pictures, (canvases.size[0], canvases.size[1]), canvases.pictures, ground)
    staging = stack.enter_context(contextlib.closing(Staging(folder, pictures.shape)))
    save_canvases(composer, folder, count=canvases.count, seed=options.seed)
    return add_background(composer, staging, share=canvases.background, seed=options.seed)


def _read(raw: Path, folder: Path, request: Request, options: VisionDataset | OwnPictures) -> Pictures:
    if isinstance(options, VisionDataset):
        check_request(("train", *SOURCES[options.source].official_splits), request, f"the source {options.source}")
        return READERS[options.source](raw)
    listing = list_pictures(raw)
    check_request(listing.given, request, listing.origin)
    form = Form(
        size=(options.size[0], options.size[1]), fit=options.fit, colour=options.colour, background=options.background
    )
    return read_own(listing, folder, form, max_skipped=options.max_skipped)


def _origin(options: VisionDataset | OwnPictures) -> tuple[str, str, str]:
    """Source, licence and citation."""
    if isinstance(options, OwnPictures):
        return "own files", "the user's own", ""
    published = SOURCES[options.source]
    return options.source, published.licence, published.citation


def _counts(pictures: Pictures) -> dict[str, dict[str, int]]:
    """Images by split and class."""
    counts = {
        split: np.bincount(pictures.labels[indices], minlength=len(pictures.classes)).tolist()
        for split, indices in pictures.given.items()
    }
    return {split: dict(zip(pictures.classes, of_split, strict=True)) for split, of_split in counts.items()}


def _dropped(given: dict[str, np.ndarray], kept: dict[str, np.ndarray]) -> dict[str, int]:
    return {split: len(indices) - len(kept[split]) for split, indices in given.items()}


def _conflicting(digests: np.ndarray, labels: np.ndarray) -> int:
    """How many contents stand under more than one class."""
    order = np.lexsort((labels, digests[:, 1], digests[:, 0]))
    same = (digests[order[1:]] == digests[order[:-1]]).all(1)
    content = np.concatenate([[0], np.cumsum(~same)])
    differs = labels[order[1:]] != labels[order[:-1]]
    return len(np.unique(content[1:][same & differs]))
