"""Texts by name, of which one is in memory at a time, and the parts of documents that make up a split."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, TypedDict, TypeVar

import numpy as np
from tqdm import tqdm

from cvnlp.data import duplicates
from cvnlp.data.user_files import SkippedFiles

CHUNK_SIZE = 2**20  # characters that are tokenised at a time; a longer line is a chunk of its own
Item = TypeVar("Item")


class OwnFacts(TypedDict, total=False):
    """Facts of a user's own texts: files by encoding, converted line ends, files read and skipped."""

    encodings: dict[str, int]
    converted_line_ends: int
    skipped: int
    read: int


class Part(NamedTuple):
    """The characters of a document from `start` to before `end`."""

    document: str
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Texts:
    """What a reader returns: a function that reads each document, and the names of the documents in each split.

    `source` is their origin in error messages. `given` has the splits that the source provides; other splits are taken
    from its "train". `facts` and `skipped` are stated for a user's own texts.
    """

    source: str
    documents: Mapping[str, Callable[[], str]]
    given: Mapping[str, Sequence[str]]
    facts: OwnFacts = field(default_factory=OwnFacts)
    skipped: SkippedFiles | None = None

    def read(self, part: Part) -> str:
        return self.documents[part.document]()[part.start : part.end]

    def in_lower_case(self) -> "Texts":
        return replace(self, documents={name: partial(_lower, read) for name, read in self.documents.items()})


def _lower(read: Callable[[], str]) -> str:
    return read().lower()


def measure(texts: Texts) -> tuple[dict[str, int], np.ndarray]:
    """The length in characters of each document, and their digests, uint64 (N, 2)."""
    sizes, digests = {}, np.empty((len(texts.documents), 2), dtype=np.uint64)
    for number, (name, read) in enumerate(progress(list(texts.documents.items()), "reading", unit="document")):
        text = read()
        sizes[name], digests[number] = len(text), duplicates.digest(text.encode("utf-8"))
    return sizes, digests


def progress(items: Sequence[Item], description: str, *, unit: str) -> Iterator[Item]:
    """Iterate with a progress bar on terminals."""
    yield from tqdm(items, desc=description, unit=f" {unit}s", leave=False, disable=None)


def chunks(
    texts: Texts, parts: Sequence[Part], separator: str, description: str, *, size: int = CHUNK_SIZE
) -> Iterator[tuple[str, str]]:
    """The text of the parts in chunks of at least `size` characters that end at a line end.

    Yields (separator, chunk): the separator of documents before the first chunk of each part but the first, else "".
    """
    total = sum(part.length for part in parts)
    with tqdm(total=total, desc=description, unit=" characters", unit_scale=True, leave=False, disable=None) as bar:
        for number, part in enumerate(parts):
            before = separator if number else ""
            for chunk in _cut(texts.read(part), size):
                yield before, chunk
                before = ""
                bar.update(len(chunk))


def _cut(text: str, size: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start + size - 1) + 1 or len(text)
        yield text[start:end]
        start = end
