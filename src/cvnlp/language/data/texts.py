"""Texts by name, of which one is in memory at a time, and the parts of them that a split is made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypedDict

import numpy as np
from tqdm import tqdm

from cvnlp.data import duplicates
from cvnlp.data.user_files import SkippedFiles

PIECE = 2**20  # characters that are worked on at a time, or a line if it is longer


class OwnFacts(TypedDict, total=False):
    """Facts of a user's own texts: files by encoding, converted line ends, files read and skipped."""

    encodings: dict[str, int]
    converted_line_ends: int
    skipped: int
    read: int


class Part(NamedTuple):
    """The characters from `start` to before `end` of a document."""

    document: str
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Texts:
    """`given`: split -> names of documents; "train" holds those that other splits may still be carved from.

    `place` is how an error calls where they come from, `facts` are those that only the reader knows.
    """

    place: str
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


def survey(texts: Texts) -> tuple[dict[str, int], np.ndarray]:
    """The characters of each document, and its digest: uint64 (N, 2), in the order of the documents."""
    sizes, digests = {}, np.empty((len(texts.documents), 2), dtype=np.uint64)
    for number, (name, read) in enumerate(progress(texts.documents.items(), "reading", unit="document")):
        text = read()
        sizes[name], digests[number] = len(text), duplicates.digest(text.encode("utf-8"))
    return sizes, digests


def progress(items: Any, what: str, *, unit: str) -> Any:
    """`items` with a progress bar, where there is a terminal to see it."""
    return tqdm(items, desc=what, unit=f" {unit}s", leave=False, disable=None)


def pieces(texts: Texts, parts: Sequence[Part], separator: str, what: str) -> Iterator[tuple[str, str]]:
    """The text of the parts in pieces that end where a line ends, each after the separator before it, if any."""
    total = sum(part.length for part in parts)
    with tqdm(total=total, desc=what, unit=" characters", unit_scale=True, leave=False, disable=None) as bar:
        for number, part in enumerate(parts):
            before = separator if number else ""
            for piece in _cut(texts.read(part)):
                yield before, piece
                before = ""
                bar.update(len(piece))


def _cut(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start + PIECE - 1) + 1 or len(text)
        yield text[start:end]
        start = end
