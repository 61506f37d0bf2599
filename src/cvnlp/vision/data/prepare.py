"""Prepare a data set of images: from raw files to uint8 arrays (N, H, W, C) on disk. Imports no torch."""

import contextlib
import dataclasses
import math
from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.catalogue import SOURCES
from cvnlp.data import duplicates, prepared
from cvnlp.data.prepared import DuplicateCounts, VisionFacts, describe_arrays, save_facts
from cvnlp.params.datasets import Canvases, OwnPictures, VisionDataset
from cvnlp.params.processing import Decoding
from cvnlp.vision.data.canvases import CANVAS_SPLITS, Composer, add_background, needed_bytes, save_canvases
from cvnlp.vision.data.decoding import TargetFormat
from cvnlp.vision.data.folder import list_images
from cvnlp.vision.data.image_set import ImageSet, Staging, check_space
from cvnlp.vision.data.own import read_own
from cvnlp.vision.data.published import READERS
from cvnlp.vision.data.saving import compute_digests, save_arrays, save_tables
from cvnlp.vision.data.splits import HeldOut, check_held_out, draw_splits

ARRAYS = [f"{split}_{kind}" for split in prepared.SPLITS for kind in ("images", "labels")]
CANVASES = [f"{split}_canvases" for split in CANVAS_SPLITS]
Options = VisionDataset | OwnPictures


def prepare(raw: Path, folder: Path, options: Options) -> VisionFacts:
    """Read, split and write a data set into `folder`; returns its facts.

    `raw` is the folder of downloaded files, or the user's own folder of images. `validation` and `test` of the options
    are drawn from the remaining images, which are for training. `duplicates: drop` removes copies before that. With
    `canvases` each split also gets images of a background class, which come last; duplicates and conflicting labels
    are counted without them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held_out = {"validation": options.validation, "test": options.test}
    with files.add_path_to_errors(folder), contextlib.ExitStack() as stack:
        images = _read(raw, folder, held_out, options)
        stack.callback(images.close)
        _check_space(folder, images, options.canvases)
        digests = compute_digests(images)
        kept = duplicates.drop(digests, images.given) if options.duplicates == "drop" else images.given
        parts = draw_splits(images.labels, images.classes, kept, held_out, seed=options.seed)
        written = dataclasses.replace(images, given=parts, digests=digests)
        if options.canvases:
            staging = stack.enter_context(contextlib.closing(Staging(folder, images.shape)))
            written = _with_canvases(written, folder, staging, options, options.canvases)
        return _write(folder, images, written, digests, kept, options)


def _write(
    folder: Path,
    images: ImageSet,
    written: ImageSet,
    digests: np.ndarray,
    kept: dict[str, np.ndarray],
    options: Options,
) -> VisionFacts:
    """Write arrays, tables and facts.

    `images`: as they were read; `written`: in their splits, with the background class. `kept`: the indices of each
    given split without dropped duplicates.
    """
    statistics = save_arrays(folder, written, written.given)
    parts = {split: indices[indices < len(images.labels)] for split, indices in written.given.items()}
    save_tables(folder, images, parts, digests)
    counts = duplicates.count(digests, parts)
    source, licence, citation = _origin(options)
    facts = VisionFacts(
        source=source,
        licence=licence,
        citation=citation,
        read=None if isinstance(options, VisionDataset) else len(images.labels),
        skipped=None if isinstance(options, VisionDataset) else len(images.skipped or ()),
        classes=list(written.classes),
        shape=list(written.shape),
        counts=_counts(written),
        mean=statistics["mean"],
        std=statistics["std"],
        canvases=options.canvases,
        conflicting=_conflicting(digests, images.labels),
        decoding=_decoding(options, images.shape),
        duplicates=DuplicateCounts(within=counts.within, across=counts.across, dropped=_dropped(images.given, kept)),
        arrays=describe_arrays(folder, [*ARRAYS, *CANVASES] if options.canvases else ARRAYS),
    )
    save_facts(folder, facts)
    return facts


def _check_space(folder: Path, images: ImageSet, canvases: Canvases | None) -> None:
    total = len(images.labels)
    extra = needed_bytes(images.shape, total, canvases) if canvases else 0
    check_space(folder, total * math.prod(images.shape) + extra)


def _with_canvases(images: ImageSet, folder: Path, staging: Staging, options: Options, canvases: Canvases) -> ImageSet:
    """Write the canvases; returns the images with those of the background class in each split."""
    ground = 255 if isinstance(options, OwnPictures) and options.background == "white" else 0
    composer = Composer(images, (canvases.size[0], canvases.size[1]), canvases.pictures, ground)
    save_canvases(composer, folder, count=canvases.count, seed=options.seed)
    return add_background(composer, staging, share=canvases.background, seed=options.seed)


def _read(raw: Path, folder: Path, held_out: HeldOut, options: Options) -> ImageSet:
    if isinstance(options, VisionDataset):
        check_held_out(("train", *SOURCES[options.source].official_splits), held_out, f"the source {options.source}")
        return READERS[options.source](raw)
    listing = list_images(raw)
    check_held_out(listing.given, held_out, listing.origin)
    form = TargetFormat(
        size=(options.size[0], options.size[1]), fit=options.fit, colour=options.colour, background=options.background
    )
    return read_own(listing, folder, form, max_skipped=options.max_skipped)


def _origin(options: Options) -> tuple[str, str, str]:
    """Source, licence and citation."""
    if isinstance(options, OwnPictures):
        return "own files", "the user's own", ""
    published = SOURCES[options.source]
    return options.source, published.licence, published.citation


def _decoding(options: Options, shape: tuple[int, int, int]) -> Decoding:
    if isinstance(options, OwnPictures):
        return Decoding(fit=options.fit, colour=options.colour, background=options.background)
    return Decoding(colour="grey" if shape[-1] == 1 else "rgb")


def _counts(images: ImageSet) -> dict[str, dict[str, int]]:
    """Images by split and class."""
    counts = {
        split: np.bincount(images.labels[indices], minlength=len(images.classes)).tolist()
        for split, indices in images.given.items()
    }
    return {split: dict(zip(images.classes, of_split, strict=True)) for split, of_split in counts.items()}


def _dropped(given: dict[str, np.ndarray], kept: dict[str, np.ndarray]) -> dict[str, int]:
    return {split: len(indices) - len(kept[split]) for split, indices in given.items()}


def _conflicting(digests: np.ndarray, labels: np.ndarray) -> int:
    """Number of distinct images that occur in more than one class."""
    order = np.lexsort((labels, digests[:, 1], digests[:, 0]))
    same = (digests[order[1:]] == digests[order[:-1]]).all(1)
    content = np.concatenate([[0], np.cumsum(~same)])
    differs = labels[order[1:]] != labels[order[:-1]]
    return len(np.unique(content[1:][same & differs]))
