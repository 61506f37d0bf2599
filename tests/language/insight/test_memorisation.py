"""The longest copied span, against an exhaustive search."""

import time

import numpy as np
import pytest

from cvnlp.language.insight import memorisation
from cvnlp.language.insight.memorisation import CopiedSpan, fingerprints, longest_copied_spans


def as_tokens(text: str) -> np.ndarray:
    return np.array([ord(letter) for letter in text], dtype=np.uint16)


def longest_by_search(text: np.ndarray, source: np.ndarray) -> int:
    written, read = (bytes(side.astype(np.uint8)) for side in (text, source))
    return max(
        (
            end - begin
            for begin in range(len(written))
            for end in range(begin, len(written) + 1)
            if written[begin:end] in read
        ),
        default=0,
    )


@pytest.mark.parametrize("kinds", [2, 4, 20])
@pytest.mark.parametrize("length", [1, 2, 5, 40, 90])
def test_length_equals_that_of_an_exhaustive_search(kinds: int, length: int) -> None:
    generator = np.random.default_rng(kinds + length)
    source = generator.integers(0, kinds, 400)
    texts = [generator.integers(0, kinds, length) for _ in range(4)] + [source[30 : 30 + length]]
    for text, span in zip(texts, longest_copied_spans(texts, source), strict=True):
        expected = longest_by_search(text, source)
        assert span.length == (expected if expected > 1 else 0)
        copied = source[span.source_start : span.source_start + span.length]
        assert text[span.start : span.start + span.length].tolist() == copied.tolist()


@pytest.mark.parametrize("pairs", [1, 7, 2**22])
@pytest.mark.parametrize("source", ["a" * 300, "ab" * 150, "aab" * 100, "a" * 200 + "b" + "a" * 99])
def test_texts_that_repeat_themselves(source: str, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "PAIRS", pairs)
    texts = ["a" * 50, "ba" * 20, "aab" * 9 + "aa", "a" * 40 + "b" + "a" * 40, "c" * 20 + "a" * 17]
    for text, span in zip(texts, longest_copied_spans(list(map(as_tokens, texts)), as_tokens(source)), strict=True):
        longest = longest_by_search(as_tokens(text), as_tokens(source))
        assert span.length == (longest if longest > 1 else 0)
        first = [at for at in range(len(text)) if span.length and text[at : at + span.length] in source]
        assert span.start == (first[0] if first else 0)
        assert span.source_start == max(source.find(text[span.start : span.start + span.length]), 0)


def test_a_text_of_one_token_takes_no_time_of_the_square_of_its_length() -> None:
    started = time.process_time()
    (span,) = longest_copied_spans([np.zeros(400, np.uint16)], np.zeros(100_000, np.uint16))
    assert span == CopiedSpan(length=400, start=0, source_start=0)
    assert time.process_time() - started < 5


def test_of_equal_spans_the_first_is_returned_with_its_first_place() -> None:
    (span,) = longest_copied_spans([as_tokens("xxcat..dogxx")], as_tokens("a dog, a cat, a cat, a dog"))
    assert span == CopiedSpan(length=3, start=2, source_start=9)


def test_spans_may_reach_the_ends_of_both_texts() -> None:
    source = as_tokens("where the bee sucks, there suck I")
    spans = longest_copied_spans(
        [source[-20:], source, as_tokens("there suck I!"), as_tokens("qq"), as_tokens("")], source
    )
    assert [span.length for span in spans] == [20, len(source), 12, 0, 0]


def test_size_of_the_chunks_does_not_change_the_spans() -> None:
    generator = np.random.default_rng(0)
    source = generator.integers(0, 5, 500)
    texts = [source[100:140], generator.integers(0, 5, 60)]
    assert longest_copied_spans(texts, source, source_chunk=37) == longest_copied_spans(texts, source)


def test_hash_collisions_are_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        memorisation, "fingerprints", lambda tokens, length: np.zeros(len(tokens) - length + 1, np.uint64)
    )
    source = as_tokens("abcdefgh" * 6)
    spans = longest_copied_spans([as_tokens("xxdefxx"), as_tokens("zzzz")], source)
    assert [span.length for span in spans] == [3, 0]


@pytest.mark.parametrize("length", [1, 2, 4, 16])
def test_fingerprints_are_equal_exactly_where_the_tokens_are(length: int) -> None:
    tokens = np.random.default_rng(1).integers(0, 3, 300)
    spans = np.lib.stride_tricks.sliding_window_view(tokens, length)
    _, kinds = np.unique(spans, axis=0, return_inverse=True)
    _, found = np.unique(fingerprints(tokens, length), return_inverse=True)
    pairs = {(int(kind), int(number)) for kind, number in zip(kinds.ravel(), found, strict=True)}
    assert len(pairs) == kinds.max() + 1 == found.max() + 1
