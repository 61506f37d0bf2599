"""What a text shares word for word with another: the longest span of it that stands there, exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LONGEST_SEED = 16  # tokens: spans are searched from seeds of this length, and of half of it where there is none
AT_ONCE = 2**20  # places of the source whose seeds are in memory together
FACTOR = 0x9E3779B97F4A7C15  # of the fingerprints: odd, with bits as good as random
SLOT_BITS = 20  # of the table by which nearly all places of the source are ruled out


@dataclass(frozen=True)
class Copy:
    """`length` tokens of a text, from its place `begin` on, stand in the source from `place` on."""

    length: int
    begin: int
    place: int


def longest_copies(texts: Sequence[np.ndarray], source: np.ndarray) -> list[Copy]:
    """The longest span of each text that stands in the source, the first of equal ones.

    Of length 0 if not even two tokens in a row do.
    """
    found = [Copy(0, 0, 0)] * len(texts)
    length = LONGEST_SEED
    while length > 1 and (waiting := {number: texts[number] for number, copy in enumerate(found) if not copy.length}):
        for begin in range(0, len(source) - length + 1, AT_ONCE):
            for number, copy in _copies(waiting, source, begin, length).items():
                found[number] = max(found[number], copy, key=lambda one: (one.length, -one.begin, -one.place))
        length //= 2
    return found


def _copies(texts: Mapping[int, np.ndarray], source: np.ndarray, begin: int, length: int) -> dict[int, Copy]:
    """Of each text the longest copy that has at least `length` tokens, from one piece of the source on."""
    seeds = {number: fingerprints(text, length) for number, text in texts.items() if len(text) >= length}
    prints = fingerprints(source[begin : begin + AT_ONCE + length - 1], length)
    wanted = np.zeros(2**SLOT_BITS, dtype=bool)
    for of_text in seeds.values():
        wanted[_slots(of_text)] = True
    places = np.flatnonzero(wanted[_slots(prints)])
    found = {}
    for number, of_text in seeds.items():
        starts, matches = _equal(of_text, prints[places])
        copy = _extend(texts[number], source, starts, begin + places[matches])
        if copy.length >= length:  # the fingerprints of seeds that differ may be equal
            found[number] = copy
    return found


def fingerprints(tokens: np.ndarray, length: int) -> np.ndarray:
    """A number for each `length` tokens in a row, a power of two: (N - length + 1,). Equal ones have equal numbers."""
    prints, width = tokens.astype(np.uint64), 1
    while width < length:
        prints = prints[:-width] * np.uint64(pow(FACTOR, width, 2**64)) + prints[width:]
        width *= 2
    return prints


def _slots(prints: np.ndarray) -> np.ndarray:
    return (prints * np.uint64(FACTOR)) >> np.uint64(64 - SLOT_BITS)


def _equal(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places in `first`, in order, and in `second` of all pairs of equal numbers."""
    order = np.argsort(second, kind="stable")
    low, high = (np.searchsorted(second[order], first, side=side) for side in ("left", "right"))
    counts = high - low
    inside = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    return np.repeat(np.arange(len(first)), counts), order[np.repeat(low, counts) + inside]


def _extend(text: np.ndarray, source: np.ndarray, starts: np.ndarray, places: np.ndarray) -> Copy:
    """The longest copy that begins with one of these pairs of places, token by token."""
    best, length = Copy(0, 0, 0), 0
    while len(starts):
        inside = (starts + length < len(text)) & (places + length < len(source))
        starts, places = starts[inside], places[inside]
        same = text[starts + length] == source[places + length]
        starts, places, length = starts[same], places[same], length + 1
        if len(starts):
            best = Copy(length, int(starts[0]), int(places[0]))
    return best
