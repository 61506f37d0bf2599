"""A split's text as numbers on disk, and what is counted on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from cvnlp.data import prepared
from cvnlp.language.data.copies import line_digests
from cvnlp.language.data.texts import Part, Texts, pieces
from cvnlp.language.data.tokens import Tokeniser


@dataclass
class Statistics:
    """`unknown`: tokens numbered 0, among them `literal` ones: the text itself says that they are unknown."""

    documents: int
    characters: int
    counts: int = 0
    unknown: int = 0
    literal: int = 0
    lines: int = 0
    longest_line: int = 0
    line_digests: list[np.ndarray] = field(default_factory=list)

    def add_ids(self, ids: np.ndarray, literal: int) -> np.ndarray:
        """`ids`, with 0 for the number that stands for a literal unknown token."""
        self.literal += int((ids == literal).sum())
        ids = np.where(ids == literal, 0, ids)
        self.unknown += int((ids == 0).sum())
        self.counts += len(ids)
        return ids

    def add_lines(self, piece: str) -> None:
        lines = piece.removesuffix("\n").split("\n")
        self.lines += len(lines)
        self.longest_line = max(self.longest_line, *map(len, lines))
        self.line_digests.append(line_digests(lines))

    @property
    def coverage(self) -> float:
        return 1 - self.unknown / self.counts

    @property
    def out_of_vocabulary(self) -> float:
        return (self.unknown - self.literal) / self.counts


def write_split(
    folder: Path, split: str, texts: Texts, parts: Sequence[Part], tokeniser: Tokeniser, vocabulary: Sequence[str]
) -> Statistics:
    """ValueError if there is no token to write."""
    characters = sum(part.length for part in parts) + max(len(parts) - 1, 0)  # a line end between documents
    found = Statistics(len(parts), characters)
    encode = tokeniser.encoder(vocabulary)
    kind = np.uint16 if len(vocabulary) <= 2**16 else np.uint32
    with prepared.open_array_writer(folder, split, kind, ()) as append:
        for separator, piece in pieces(texts, parts, tokeniser.separator, f"writing {split}"):
            for ids in chain(encode(separator), encode(piece)):
                append(found.add_ids(ids, len(vocabulary)))
            found.add_lines(piece)
        if not found.counts:
            raise ValueError(f"{split}: its text, {characters} characters, holds no tokens; choose other documents")
    return found
