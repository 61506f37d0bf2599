"""Memorisation: the longest spans of generated texts that occur word for word in the training text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.inference.generation import Sampling, generate
from cvnlp.language.models import Network
from cvnlp.params.insight import LanguageInsight
from cvnlp.params.option_types import number_key

MAX_SEED = 16  # tokens of a seed from which a match is extended; halved for texts without any match
SOURCE_CHUNK = 2**20  # places of the source whose fingerprints are in memory together
FACTOR = 0x9E3779B97F4A7C15  # multiplier of the fingerprints: odd, with well mixed bits (2**64 / golden ratio)
PAIRS = 2**22  # of equal spans that are in memory together
SLOT_BITS = 20  # of the hash table that rules out nearly all places of the source


@dataclass(frozen=True)
class CopiedSpan:
    """`length` tokens of a text from `start` on that occur in the source from `source_start` on."""

    length: int
    start: int
    source_start: int


NO_SPAN = CopiedSpan(0, 0, 0)


def save_samples(
    network: Network, data: Path, facts: LanguageFacts, options: LanguageInsight, folder: Path
) -> dict[str, float]:
    """Write samples.json: for each temperature a generated text and the longest span that was copied from the training
    text by any of its `samples` texts; the same for pieces of the validation text of equal length, as a baseline.

    Returns the median length in tokens of the longest copied spans, by temperature.
    """
    vocabulary, train = files.read_json(data / "vocabulary.json"), prepared.load_array(data, "train")
    validation = prepared.load_array(data, "validation")
    groups = {"validation": _evenly_spaced_pieces(validation, options.samples, options.sample_tokens)}
    for temperature in options.temperatures:
        groups[number_key(temperature)] = _generated(network, facts.start, temperature, options)
    spans = iter(longest_copied_spans([text for texts in groups.values() for text in texts], train))
    rows = {name: _row(texts, [next(spans) for _ in texts], vocabulary, facts) for name, texts in groups.items()}
    files.write_json(folder / "samples.json", rows)
    return {f"copied_{name}": row["median"] for name, row in rows.items()}


def _evenly_spaced_pieces(tokens: np.ndarray, count: int, length: int) -> list[np.ndarray]:
    """They overlap, or are shorter than `length`, where the text is short."""
    starts = np.linspace(0, max(0, len(tokens) - length), count).astype(int)
    return [tokens[start : start + length] for start in starts]


def _generated(network: Network, start: int, temperature: float, options: LanguageInsight) -> list[np.ndarray]:
    sampling = Sampling(temperature=temperature)
    count, tokens = options.samples, options.sample_tokens
    return list(generate(network, start, count=count, tokens=tokens, sampling=sampling, seed=1).numpy())


def _row(
    texts: list[np.ndarray], spans: list[CopiedSpan], vocabulary: list[str], facts: LanguageFacts
) -> dict[str, Any]:
    """The first text, and the lengths of the copied spans of all texts: their median, the longest and its words."""
    lengths = [span.length for span in spans]
    longest = int(np.argmax(lengths))
    start, length = spans[longest].start, spans[longest].length
    return {
        "text": as_text(texts[0].tolist(), vocabulary, facts),
        "median": float(np.median(lengths)),
        "longest": length,
        "copied": as_text(texts[longest][start : start + length].tolist(), vocabulary, facts),
    }


def longest_copied_spans(
    texts: Sequence[np.ndarray], source: np.ndarray, *, source_chunk: int = SOURCE_CHUNK
) -> list[CopiedSpan]:
    """The longest span of each text that occurs in the source, the first of equal ones.

    Of length 0 if not even two successive tokens occur there.
    """
    found = [NO_SPAN] * len(texts)
    seed = MAX_SEED
    while seed > 1 and (pending := {number: texts[number] for number, span in enumerate(found) if not span.length}):
        for start in range(0, len(source) - seed + 1, source_chunk):
            places = range(start, min(start + source_chunk, len(source) - seed + 1))
            for number, span in _spans_in_chunk(pending, source, places, seed).items():
                found[number] = max(found[number], span, key=lambda one: (one.length, -one.start, -one.source_start))
        seed //= 2
    return found


def _spans_in_chunk(
    texts: Mapping[int, np.ndarray], source: np.ndarray, places: range, seed: int
) -> dict[int, CopiedSpan]:
    """The longest span of each text that has at least `seed` tokens and begins at one of these places of the source."""
    seeds = {number: fingerprints(text, seed) for number, text in texts.items() if len(text) >= seed}
    of_source = fingerprints(source[places.start : places.stop + seed - 1], seed)
    occupied = np.zeros(2**SLOT_BITS, dtype=bool)
    for of_text in seeds.values():
        occupied[_slots(of_text)] = True
    candidates = np.flatnonzero(occupied[_slots(of_source)])
    found = {}
    for number, of_text in seeds.items():
        span = NO_SPAN
        for starts, matches in _equal_pairs(of_text, of_source[candidates]):
            if len(starts) and len(texts[number]) - starts[0] <= span.length:  # the rest of the text is no longer
                break
            pairs = _left_maximal(texts[number], source, starts, places.start + candidates[matches])
            span = max(span, _extend(texts[number], source, *pairs), key=lambda one: one.length)
        if span.length >= seed:  # different seeds may have the same fingerprint
            found[number] = span
    return found


def fingerprints(tokens: np.ndarray, length: int) -> np.ndarray:
    """A hash uint64 (N - length + 1,) of each `length` successive tokens, equal for equal ones.

    `length` is a power of two: the hash of a span is made of those of its halves.
    """
    hashes, width = tokens.astype(np.uint64), 1
    while width < length:
        hashes = hashes[:-width] * np.uint64(pow(FACTOR, width, 2**64)) + hashes[width:]
        width *= 2
    return hashes


def _slots(hashes: np.ndarray) -> np.ndarray:
    return (hashes * np.uint64(FACTOR)) >> np.uint64(64 - SLOT_BITS)


def _equal_pairs(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The places in `first`, in order, and in `second` of all pairs of equal numbers, some million at a time."""
    order = np.argsort(second, kind="stable")
    low, high = (np.searchsorted(second[order], first, side=side) for side in ("left", "right"))
    counts = high - low
    borders = np.flatnonzero(np.diff(counts.cumsum() // PAIRS)) + 1
    for block in np.split(np.arange(len(first)), borders):
        before = counts[block].cumsum() - counts[block]
        inside = np.arange(counts[block].sum()) - np.repeat(before, counts[block])
        yield np.repeat(block, counts[block]), order[np.repeat(low[block], counts[block]) + inside]


def _left_maximal(
    text: np.ndarray, source: np.ndarray, starts: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of places whose tokens before differ: any other is within a longer span.

    A text that repeats itself, such as a single token, has as many pairs as its length times that of the source.
    """
    kept = (starts == 0) | (places == 0) | (text[starts - 1] != source[places - 1])
    return starts[kept], places[kept]


def _extend(text: np.ndarray, source: np.ndarray, starts: np.ndarray, places: np.ndarray) -> CopiedSpan:
    """The longest common span that begins at one of these pairs of places, compared token by token."""
    best, length = NO_SPAN, 0
    while len(starts):
        inside = (starts + length < len(text)) & (places + length < len(source))
        starts, places = starts[inside], places[inside]
        same = text[starts + length] == source[places + length]
        starts, places, length = starts[same], places[same], length + 1
        if len(starts):
            best = CopiedSpan(length, int(starts[0]), int(places[0]))
    return best
