"""What counts as one token: a character, a word or mark, or whatever stands between spaces.

Each kind counts the tokens of a text and turns it into numbers, in one pass and without a list of all tokens.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

import numpy as np

from cvnlp.language.data.vocabulary import END_OF_LINE, UNKNOWN

BATCH = 2**18  # tokens turned into numbers at a time
ALL_CHARACTERS = 0x110000
# possessive: a word of a million hyphens costs no more memory than a short one
WORD = re.compile(r"\w++(?:['-]\w++)*+|[^\w\s]|\n")
BETWEEN_SPACES = re.compile(r"\S++|\n")


def split_words(text: str) -> Iterator[str]:
    """Words and single marks, `<eos>` after every line that holds any."""
    inside = False
    for match in WORD.finditer(text):
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
    """What stands between spaces, `<eos>` after every line, as PTB and WikiText are counted; `<unk>` is unknown."""
    for match in BETWEEN_SPACES.finditer(text):
        yield END_OF_LINE if match[0] == "\n" else match[0]
    if text and not text.endswith("\n"):
        yield END_OF_LINE


class Characters:
    """Every character is a token."""

    token_kind: Literal["characters", "words"] = "characters"
    line_end = separator = "\n"  # the separator parts one document from the next

    def split(self, text: str) -> Iterator[str]:
        return iter(text)

    def count(self, texts: Iterable[str]) -> Counter[str]:
        counts = np.zeros(ALL_CHARACTERS, dtype=np.int64)
        for codes in _codes(texts):
            times = np.bincount(codes)
            counts[: len(times)] += times
        return Counter({chr(code): int(counts[code]) for code in np.flatnonzero(counts)})

    def encoder(self, vocabulary: Sequence[str]) -> Callable[[str], Iterator[np.ndarray]]:
        table = np.zeros(ALL_CHARACTERS, dtype=np.uint32)
        table[[ord(token) for token in vocabulary[1:]]] = np.arange(1, len(vocabulary))
        return lambda text: (table[codes] for codes in _codes([text]))


def _codes(texts: Iterable[str]) -> Iterator[np.ndarray]:
    for text in texts:
        for start in range(0, len(text), BATCH):
            yield np.frombuffer(text[start : start + BATCH].encode("utf-32-le"), dtype="<u4")


class Words:
    """Tokens as a generator yields them; documents are parted by the `<eos>` that every one ends in."""

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

    def encoder(self, vocabulary: Sequence[str]) -> Callable[[str], Iterator[np.ndarray]]:
        """A literal `<unk>` gets the number after the last one, by which it is told from a word that is unknown."""
        ids = {token: number for number, token in enumerate(vocabulary)} | {UNKNOWN: len(vocabulary)}

        def encode(text: str) -> Iterator[np.ndarray]:
            numbers = (ids.get(token, 0) for token in self.split(text))
            while len(batch := np.fromiter(islice(numbers, BATCH), dtype=np.uint32)):
                yield batch

        return encode


Tokeniser = Characters | Words
TOKENISERS: dict[str, Tokeniser] = {
    "characters": Characters(),
    "words": Words(split_words),
    "whitespace": Words(split_at_spaces),
}
