"""Tokens: counted and numbered in one pass, as a plain loop over the text would."""

import re
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from cvnlp.language.data.tokens import TOKENISERS, split_at_spaces, split_words
from cvnlp.language.data.vocabulary import END_OF_LINE, build_vocabulary

TEXTS = [
    "",
    "a",
    "\n\n \n",
    "To be,\nor not\n\n",
    "no end",
    "\n first \n  \n<unk> and <eos> \t tabs\n",
    "naïve Σίσυφος 日本語 \N{GRINNING FACE}\N{RIGHT-TO-LEFT MARK}\n",
    "a\x0bb\x0cc\x1cd\x85e\u2028f\u3000g\nh",
    "o'er-leap -- 'tis a--b x-'y rock-'n'-roll- 3.5%\n",
]


def words_of_a_loop(text: str) -> list[str]:
    tokens: list[str] = []
    for line in text.split("\n"):
        if words := re.findall(r"\w+(?:['-]\w+)*|[^\w\s]", line):
            tokens += [*words, END_OF_LINE]
    return tokens


def spaces_of_a_loop(text: str) -> list[str]:
    """As every recipe for the Penn Treebank does it."""
    tokens: list[str] = []
    for line in text.removesuffix("\n").split("\n") if text else []:
        tokens += [*line.split(), END_OF_LINE]
    return tokens


REFERENCES = {"characters": list, "words": words_of_a_loop, "whitespace": spaces_of_a_loop}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", TOKENISERS)
def test_tokens_are_those_of_a_plain_loop(kind: str, text: str) -> None:
    assert list(TOKENISERS[kind].split(text)) == REFERENCES[kind](text)


@pytest.mark.parametrize("kind", TOKENISERS)
def test_counts_are_those_of_a_counter(kind: str) -> None:
    expected = Counter(token for text in TEXTS for token in REFERENCES[kind](text))
    assert TOKENISERS[kind].count(TEXTS) == expected


@pytest.mark.parametrize("batch", [3, 2**18])
@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize("kind", TOKENISERS)
def test_numbers_are_places_in_the_vocabulary(
    kind: str, size: int | None, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvnlp.language.data.tokens.BATCH", batch)
    tokeniser = TOKENISERS[kind]
    vocabulary = build_vocabulary(tokeniser.count(TEXTS[:-1]), tokeniser.line_end, size=size)
    known = {token: number for number, token in enumerate(vocabulary)} | {"<unk>": len(vocabulary)}
    encode = tokeniser.encoder(vocabulary)
    for text in TEXTS:
        found = [number for batch in encode(text) for number in batch.tolist()]
        assert found == [known.get(token, 0) for token in REFERENCES[kind](text)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("\n\n \n", []),
        ("To be", ["To", "be", "<eos>"]),
        ("One\n\nTwo\n", ["One", "<eos>", "Two", "<eos>"]),
        ("KING:\nNo!", ["KING", ":", "<eos>", "No", "!", "<eos>"]),
        ("I'll o'er-leap it", ["I'll", "o'er-leap", "it", "<eos>"]),
        ("'tis well--well;", ["'", "tis", "well", "-", "-", "well", ";", "<eos>"]),
        ("2s. 6d.", ["2s", ".", "6d", ".", "<eos>"]),
        ("a <unk>", ["a", "<", "unk", ">", "<eos>"]),
    ],
)
def test_words_are_whole_with_single_marks_and_an_end_of_every_line(text: str, tokens: list[str]) -> None:
    assert list(split_words(text)) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a b\n", ["a", "b", "<eos>"]),
        ("\na", ["<eos>", "a", "<eos>"]),
        (" = Title = \n \n", ["=", "Title", "=", "<eos>", "<eos>"]),
        ("<unk> N's it's,", ["<unk>", "N's", "it's,", "<eos>"]),
    ],
)
def test_between_spaces_every_line_ends_also_an_empty_one(text: str, tokens: list[str]) -> None:
    assert list(split_at_spaces(text)) == tokens


@pytest.mark.parametrize(
    "line", ["word " * 3 * 10**5, "a-" * 2_500_000, "a" * 5_000_000], ids=["words", "hyphens", "letters"]
)
@pytest.mark.parametrize("kind", TOKENISERS)
def test_an_enormous_line_costs_no_list_of_its_tokens(kind: str, line: str) -> None:
    tokeniser = TOKENISERS[kind]
    vocabulary = build_vocabulary(tokeniser.count([line[:100]]), tokeniser.line_end)
    encode = tokeniser.encoder(vocabulary)
    tracemalloc.start()
    total = sum(len(batch) for batch in encode(line))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total >= 1
    assert peak < 3 * 5_000_000


def test_a_character_beyond_the_basic_plane_is_one_token() -> None:
    tokeniser = TOKENISERS["characters"]
    (ids,) = tokeniser.encoder(["<unk>", "\N{GRINNING FACE}", "\n"])("x\N{GRINNING FACE}\n")
    np.testing.assert_array_equal(ids, [0, 1, 2])
