"""The longest copied span, against a search through all spans."""

import numpy as np
import pytest

from cvnlp.language.insight import memorisation
from cvnlp.language.insight.memorisation import Copy, fingerprints, longest_copies


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
def test_length_is_that_of_a_search_through_all_spans(kinds: int, length: int) -> None:
    generator = np.random.default_rng(kinds + length)
    source = generator.integers(0, kinds, 400)
    texts = [generator.integers(0, kinds, length) for _ in range(4)] + [source[30 : 30 + length]]
    for text, copy in zip(texts, longest_copies(texts, source), strict=True):
        expected = longest_by_search(text, source)
        assert copy.length == (expected if expected > 1 else 0)
        assert (text[copy.begin : copy.begin + copy.length] == source[copy.place : copy.place + copy.length]).all()


def test_the_first_of_equal_spans_is_named_and_its_first_place() -> None:
    (copy,) = longest_copies([as_tokens("xxcat..dogxx")], as_tokens("a dog, a cat, a cat, a dog"))
    assert copy == Copy(length=3, begin=2, place=9)


def test_ends_of_both_texts_are_no_trouble() -> None:
    source = as_tokens("where the bee sucks, there suck I")
    copies = longest_copies([source[-20:], source, as_tokens("there suck I!"), as_tokens("qq"), as_tokens("")], source)
    assert [copy.length for copy in copies] == [20, len(source), 12, 0, 0]


def test_pieces_of_the_source_are_of_no_influence(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    source = generator.integers(0, 5, 500)
    texts = [source[100:140], generator.integers(0, 5, 60)]
    whole = longest_copies(texts, source)
    monkeypatch.setattr(memorisation, "AT_ONCE", 37)
    assert longest_copies(texts, source) == whole


def test_equal_fingerprints_of_what_differs_copy_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        memorisation, "fingerprints", lambda tokens, length: np.zeros(len(tokens) - length + 1, np.uint64)
    )
    source = as_tokens("abcdefgh" * 6)
    copies = longest_copies([as_tokens("xxdefxx"), as_tokens("zzzz")], source)
    assert [copy.length for copy in copies] == [3, 0]


@pytest.mark.parametrize("length", [1, 2, 4, 16])
def test_fingerprints_are_equal_where_the_tokens_are(length: int) -> None:
    tokens = np.random.default_rng(1).integers(0, 3, 300)
    spans = np.lib.stride_tricks.sliding_window_view(tokens, length)
    _, kinds = np.unique(spans, axis=0, return_inverse=True)
    _, found = np.unique(fingerprints(tokens, length), return_inverse=True)
    pairs = {(int(kind), int(number)) for kind, number in zip(kinds.ravel(), found, strict=True)}
    assert len(pairs) == kinds.max() + 1 == found.max() + 1
