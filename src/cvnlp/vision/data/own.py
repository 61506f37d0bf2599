"""A user's own pictures: decoded by all processors into one file on disk, the unusable ones listed."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cvnlp.data.prepared import SPLITS
from cvnlp.data.user_files import SkippedFiles, printable
from cvnlp.vision.data.decoding import Decoded, Form, decode_files
from cvnlp.vision.data.folder import Listing
from cvnlp.vision.data.parallel import in_order, processors
from cvnlp.vision.data.pictures import Pictures, Staging, check_space

FEW = 64  # files that are decoded before other processes would have started
PIECE_FILES = 512
PIECE_BYTES = 2**20


def read_own(listing: Listing, folder: Path, form: Form, *, max_skipped: float) -> Pictures:
    """Decoded into `folder`, from where `close` removes them. ValueError if too many files cannot be used."""
    check_space(folder, 2 * len(listing.paths) * int(np.prod(form.shape)))  # there, and in the prepared arrays
    staging = Staging(folder, form.shape)
    try:
        return _decode(listing, staging, form, max_skipped)
    except BaseException:
        staging.close()
        raise


def _decode(listing: Listing, staging: Staging, form: Form, max_skipped: float) -> Pictures:
    skipped = SkippedFiles()
    for path in listing.strays:
        skipped.add(path, "in no class folder")
    usable = np.ones(len(listing.paths), dtype=bool)
    digests = np.empty((len(listing.paths), 2), dtype=np.uint64)
    count = 0
    for first, decoded in _pieces(listing, form):
        staging.append(decoded.pixels)
        digests[count : count + len(decoded.digests)] = decoded.digests
        count += len(decoded.digests)
        for position, reason in decoded.reasons.items():
            usable[first + position] = False
            skipped.add(listing.paths[first + position], reason)
    skipped.check(len(listing.paths) + len(listing.strays), max_skipped, listing.root)
    return _pictures(listing, staging, form, np.flatnonzero(usable), digests[:count], skipped)


def _pieces(listing: Listing, form: Form) -> Iterator[tuple[int, Decoded]]:
    """(number of the first file, what became of it and the next ones)."""
    count, size = len(listing.paths), max(1, min(PIECE_FILES, PIECE_BYTES // int(np.prod(form.shape))))
    starts = range(0, count, size)
    names = ([listing.paths[number] for number in range(start, min(start + size, count))] for start in starts)
    decoded = in_order(
        functools.partial(decode_files, str(listing.root), form=form),
        names,
        workers=1 if count <= FEW else processors(),
    )
    # a bar where somebody watches; None leaves it out where the errors go to a file
    with tqdm(total=count, desc="decoding", unit=" files", disable=None) as bar, contextlib.closing(decoded):
        for start, piece in zip(starts, decoded, strict=True):
            yield start, piece
            bar.update(len(piece.digests) + len(piece.reasons))


def _pictures(
    listing: Listing, staging: Staging, form: Form, usable: np.ndarray, digests: np.ndarray, skipped: SkippedFiles
) -> Pictures:
    splits = np.array(listing.splits)[usable]
    return Pictures(
        classes=listing.classes,
        labels=np.array(listing.labels)[usable],
        shape=form.shape,
        rows=staging.rows,
        given={split: np.flatnonzero(splits == SPLITS.index(split)) for split in listing.given},
        digests=digests,
        name=lambda index: printable(listing.paths[usable[index]]),
        skipped=skipped,
        close=staging.close,
    )
