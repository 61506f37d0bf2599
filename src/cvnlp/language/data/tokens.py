"""Tokenisers and vocabularies: a token is a character, a word or mark, or a string between spaces.

Each tokeniser counts the tokens of a text, and converts it to ids, in one pass and without a list of all tokens.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

import numpy as np
import regex

UNKNOWN = "<unk>"  # always id 0
END_OF_LINE = "<eos>"
BATCH_SIZE = 2**18  # tokens that are converted to ids at a time
CODE_POINTS = 0x110000  # of Unicode
# (?w): \b is a word boundary of Unicode (UAX 29), so marks stay with their letter. A word does not end before or after
# a hyphen that is between two words. Without groups that repeat: a word of a million hyphens needs no more memory.
WORD = regex.compile(r"(?ws)\w.*?\b(?!-\w)(?!(?<=\w-)\w)|\n|[^\s\x1c-\x1f].*?\b")
BETWEEN_SPACES = re.compile(r"\S++|\n")


def build_vocabulary(
    counts: Mapping[str, int], line_end: str, *, size: int | None = None, minimum_count: int = 1
) -> list[str]:
    """`<unk>`, `<eos>`, then the tokens by descending frequency, equal ones in alphabetical order; `size` in total.

    The line end, from which every text starts, is always included.
    """
    known = {line_end: 0} | {token: count for token, count in counts.items() if token != UNKNOWN}
    ranked = sorted(
        (token for token, count in known.items() if count >= minimum_count or token == line_end),
        key=lambda token: (token != END_OF_LINE, -known[token], token),
    )
    kept = ranked if size is None else ranked[: size - 1]
    return [UNKNOWN, *(kept if line_end in kept else [*kept[:-1], line_end])]


def split_words(text: str) -> Iterator[str]:
    """Words and single marks in Unicode's NFC, with `<eos>` after every line that is not empty."""
    inside = False
    for match in WORD.finditer(unicodedata.normalize("NFC", text)):
        token = match[0]
        if token != "\n":
            inside = True
            yield token
        elif inside:
            inside = False
            yield END_OF_LINE
    if inside:
        yield END_OF_LINE


def split_at_spaces(text: str) -> Iterator[str]:
    """Strings between spaces, with `<eos>` after every line, as in PTB and WikiText; `<unk>` is the unknown token."""
    for match in BETWEEN_SPACES.finditer(text):
        yield END_OF_LINE if match[0] == "\n" else match[0]
    if text and not text.endswith("\n"):
        yield END_OF_LINE


class Characters:
    """Every character is a token."""

    token_kind: Literal["characters", "words"] = "characters"
    line_end = separator = "\n"  # the separator is inserted between documents

    def split(self, text: str) -> Iterator[str]:
        return iter(text)

    def count(self, texts: Iterable[str]) -> Counter[str]:
        counts = np.zeros(CODE_POINTS, dtype=np.int64)
        for codes in _code_points(texts):
            of_batch = np.bincount(codes)
            counts[: len(of_batch)] += of_batch
        return Counter({chr(code): int(counts[code]) for code in np.flatnonzero(counts)})

    def encoder(
        self, vocabulary: Sequence[str], *, batch_size: int = BATCH_SIZE
    ) -> Callable[[str], Iterator[np.ndarray]]:
        """A function from text to batches of ids, uint32."""
        table = np.zeros(CODE_POINTS, dtype=np.uint32)
        table[[ord(token) for token in vocabulary[1:]]] = np.arange(1, len(vocabulary))
        return lambda text: (table[codes] for codes in _code_points([text], batch_size))


def _code_points(texts: Iterable[str], batch_size: int = BATCH_SIZE) -> Iterator[np.ndarray]:
    for text in texts:
        for start in range(0, len(text), batch_size):
            yield np.frombuffer(text[start : start + batch_size].encode("utf-32-le"), dtype="<u4")


class Words:
    """Tokens of a splitting function, which ends every document with `<eos>`: so there is no separator."""

    token_kind: Literal["characters", "words"] = "words"
    line_end = END_OF_LINE
    separator = ""

    def __init__(self, split: Callable[[str], Iterator[str]]) -> None:
        self.split = split

    def count(self, texts: Iterable[str]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(self.split(text))
        return counts

    def encoder(
        self, vocabulary: Sequence[str], *, batch_size: int = BATCH_SIZE
    ) -> Callable[[str], Iterator[np.ndarray]]:
        """A function from text to batches of ids, uint32.

        A literal `<unk>` has the id after the last one of the vocabulary, which tells it from words that are unknown.
        """
        ids = {token: number for number, token in enumerate(vocabulary)} | {UNKNOWN: len(vocabulary)}

        def encode(text: str) -> Iterator[np.ndarray]:
            numbers = (ids.get(token, 0) for token in self.split(text))
            while len(batch := np.fromiter(islice(numbers, batch_size), dtype=np.uint32)):
                yield batch

        return encode


Tokeniser = Characters | Words
TOKENISERS: dict[str, Tokeniser] = {
    "characters": Characters(),
    "words": Words(split_words),
    "whitespace": Words(split_at_spaces),
}
