"""Decode a user's own images in parallel into a temporary file, and list those that cannot be used."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cvnlp.data.prepared import SPLITS
from cvnlp.data.user_files import SkippedFiles, printable
from cvnlp.vision.data.decoding import Decoded, TargetFormat, decode_files
from cvnlp.vision.data.folder import Listing
from cvnlp.vision.data.image_set import ImageSet, Staging, check_space
from cvnlp.vision.data.parallel import map_in_order, usable_processors

SERIAL_FILES = 64  # so few are decoded before other processes would have started
CHUNK_FILES = 512
CHUNK_BYTES = 2**20


def read_own(listing: Listing, folder: Path, form: TargetFormat, *, max_skipped: float) -> ImageSet:
    """Decode the files into a temporary file in `folder`; ValueError if more than `max_skipped` cannot be used."""
    check_space(folder, 2 * len(listing.paths) * int(np.prod(form.shape)))  # the temporary file and the arrays
    staging = Staging(folder, form.shape)
    try:
        return _decode(listing, staging, form, max_skipped)
    except BaseException:
        staging.close()
        raise


def _decode(listing: Listing, staging: Staging, form: TargetFormat, max_skipped: float) -> ImageSet:
    skipped = SkippedFiles()
    for path in listing.strays:
        skipped.add(path, "not in a class folder")
    usable = np.ones(len(listing.paths), dtype=bool)
    digests = np.empty((len(listing.paths), 2), dtype=np.uint64)
    count = 0
    for first, decoded in _decode_chunks(listing, form):
        staging.append(decoded.pixels)
        digests[count : count + len(decoded.digests)] = decoded.digests
        count += len(decoded.digests)
        for position, reason in decoded.reasons.items():
            usable[first + position] = False
            skipped.add(listing.paths[first + position], reason)
    skipped.check(len(listing.paths) + len(listing.strays), max_skipped, listing.root)
    return _image_set(listing, staging, form, np.flatnonzero(usable), digests[:count], skipped)


def _decode_chunks(listing: Listing, form: TargetFormat) -> Iterator[tuple[int, Decoded]]:
    """Yield the number of the first file of each chunk, and the decoded chunk."""
    count, size = len(listing.paths), max(1, min(CHUNK_FILES, CHUNK_BYTES // int(np.prod(form.shape))))
    starts = range(0, count, size)
    names = ([listing.paths[number] for number in range(start, min(start + size, count))] for start in starts)
    decoded = map_in_order(
        functools.partial(decode_files, str(listing.root), form=form),
        names,
        workers=1 if count <= SERIAL_FILES else usable_processors(),
    )
    # None: no progress bar if the error output is not a terminal
    with tqdm(total=count, desc="decoding", unit=" files", disable=None) as bar, contextlib.closing(decoded):
        for start, chunk in zip(starts, decoded, strict=True):
            yield start, chunk
            bar.update(len(chunk.digests) + len(chunk.reasons))


def _image_set(
    listing: Listing,
    staging: Staging,
    form: TargetFormat,
    usable: np.ndarray,
    digests: np.ndarray,
    skipped: SkippedFiles,
) -> ImageSet:
    splits = np.array(listing.splits)[usable]
    return ImageSet(
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
