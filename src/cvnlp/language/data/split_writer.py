"""Write a split as token ids, and count its tokens, lines and unknown words on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from cvnlp.data import prepared
from cvnlp.language.data.duplicates import line_digests
from cvnlp.language.data.texts import CHUNK_SIZE, Part, Texts, chunks
from cvnlp.language.data.tokens import Tokeniser


@dataclass
class Statistics:
    """`counts`: tokens; `unknown`: those with the id 0, of which `literal` ones are `<unk>` in the text itself."""

    documents: int
    characters: int
    counts: int = 0
    unknown: int = 0
    literal: int = 0
    lines: int = 0
    longest_line: int = 0
    line_digests: list[np.ndarray] = field(default_factory=list)

    def add_ids(self, ids: np.ndarray, literal: int) -> np.ndarray:
        """Count ids, of which `literal` stands for a literal unknown token; returns them with 0 in its place."""
        self.literal += int((ids == literal).sum())
        ids = np.where(ids == literal, 0, ids)
        self.unknown += int((ids == 0).sum())
        self.counts += len(ids)
        return ids

    def add_lines(self, chunk: str) -> None:
        lines = chunk.removesuffix("\n").split("\n")
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
    folder: Path,
    split: str,
    texts: Texts,
    parts: Sequence[Part],
    tokeniser: Tokeniser,
    vocabulary: Sequence[str],
    *,
    chunk_size: int = CHUNK_SIZE,
) -> Statistics:
    """Write the array `split` into `folder`, in chunks; ValueError if the text has no tokens."""
    characters = sum(part.length for part in parts) + max(len(parts) - 1, 0)  # with a line end between documents
    statistics = Statistics(len(parts), characters)
    encode = tokeniser.encoder(vocabulary)
    dtype = np.uint16 if len(vocabulary) <= 2**16 else np.uint32
    with prepared.open_array_writer(folder, split, dtype, ()) as append:
        for separator, chunk in chunks(texts, parts, tokeniser.separator, f"writing {split}", size=chunk_size):
            for ids in chain(encode(separator), encode(chunk)):
                append(statistics.add_ids(ids, len(vocabulary)))
            statistics.add_lines(chunk)
        if not statistics.counts:
            raise ValueError(f"{split}: its text of {characters} characters has no tokens; choose other documents")
    return statistics
