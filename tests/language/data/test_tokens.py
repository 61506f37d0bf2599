"""Tokenisers equal plain loops over the text, and vocabularies are ranked, limited, and can start a text."""

import re
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
import regex

from cvnlp.language.data.tokens import END_OF_LINE, TOKENISERS, build_vocabulary, split_at_spaces, split_words

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
    "well-known-words a-- -b e.g. KING:No x_y _z_ 1990-95\n",
]


def words_of_a_loop(text: str) -> list[str]:
    """Each line cut at Unicode's word boundaries; words with a hyphen between them are joined again."""
    tokens: list[str] = []
    for line in text.split("\n"):
        pieces = [piece for piece in regex.split(r"(?w)\b", line, flags=regex.V1) if piece]
        words: list[str] = []
        for before, piece, after in zip(["", *pieces], pieces, [*pieces[1:], ""], strict=False):
            hyphen = piece == "-" and re.match(r"\w", before) and re.match(r"\w", after)
            joined = hyphen or (words and words[-1].endswith("-") and len(words[-1]) > 1 and before == "-")
            words = [*words[:-1], words[-1] + piece] if joined else [*words, piece]
        if words := [word for word in words if word.strip()]:
            tokens += [*words, END_OF_LINE]
    return tokens


def spaces_of_a_loop(text: str) -> list[str]:
    """As the published recipes for the Penn Treebank."""
    tokens: list[str] = []
    for line in text.removesuffix("\n").split("\n") if text else []:
        tokens += [*line.split(), END_OF_LINE]
    return tokens


REFERENCES = {"characters": list, "words": words_of_a_loop, "whitespace": spaces_of_a_loop}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", TOKENISERS)
def test_tokens_equal_those_of_a_plain_loop(kind: str, text: str) -> None:
    assert list(TOKENISERS[kind].split(text)) == REFERENCES[kind](text)


@pytest.mark.parametrize("kind", TOKENISERS)
def test_counts_equal_those_of_a_counter(kind: str) -> None:
    expected = Counter(token for text in TEXTS for token in REFERENCES[kind](text))
    assert TOKENISERS[kind].count(TEXTS) == expected


@pytest.mark.parametrize("batch", [3, 2**18])
@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize("kind", TOKENISERS)
def test_ids_are_places_in_the_vocabulary(kind: str, size: int | None, batch: int) -> None:
    tokeniser = TOKENISERS[kind]
    vocabulary = build_vocabulary(tokeniser.count(TEXTS[:-1]), tokeniser.line_end, size=size)
    known = {token: number for number, token in enumerate(vocabulary)} | {"<unk>": len(vocabulary)}
    encode = tokeniser.encoder(vocabulary, batch_size=batch)
    for text in TEXTS:
        found = [number for ids in encode(text) for number in ids.tolist()]
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
def test_words_and_single_marks_with_an_end_of_every_line(text: str, tokens: list[str]) -> None:
    assert list(split_words(text)) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("doesn\N{RIGHT SINGLE QUOTATION MARK}t", ["doesn\N{RIGHT SINGLE QUOTATION MARK}t"]),
        ("\N{LEFT DOUBLE QUOTATION MARK}Go\N{RIGHT DOUBLE QUOTATION MARK}", ["\u201c", "Go", "\u201d"]),
        ("हिन्दी में लिखा", ["हिन्दी", "में", "लिखा"]),
        ("தமிழ் മലയാളം", ["தமிழ்", "മലയാളം"]),
        ("cafe\u0301 nai\u0308ve", ["café", "naïve"]),
        ("İstanbul İZMİR".lower(), ["i\u0307stanbul", "i\u0307zmi\u0307r"]),
        ("q\u0323\u0307", ["q\u0323\u0307"]),
        (" \u0308x", ["\u0308", "x"]),
        ("q\u0323\u0307-q\u0323\u0307 कि-कि", ["q\u0323\u0307-q\u0323\u0307", "कि-कि"]),
        ("3.5% of 1,000", ["3.5", "%", "of", "1,000"]),
        ("日本語です。", ["日", "本", "語", "で", "す", "。"]),
        ("カタカナ", ["カタカナ"]),
        ("กิน", ["กิ", "น"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}!", ["\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}", "!"]),
        ("שלום, עולם", ["שלום", ",", "עולם"]),
    ],
)
def test_words_end_at_the_boundaries_of_unicode(text: str, tokens: list[str]) -> None:
    assert list(split_words(text)) == [*tokens, END_OF_LINE]


@pytest.mark.parametrize("text", ["Ich aß Käse im Café.", "ngữ tiếng Việt", "각각", "Å"])
def test_words_are_the_same_however_accents_are_encoded(text: str) -> None:
    forms = [list(split_words(unicodedata.normalize(form, text))) for form in ("NFC", "NFD")]
    assert forms[0] == forms[1]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a b\n", ["a", "b", "<eos>"]),
        ("\na", ["<eos>", "a", "<eos>"]),
        (" = Title = \n \n", ["=", "Title", "=", "<eos>", "<eos>"]),
        ("<unk> N's it's,", ["<unk>", "N's", "it's,", "<eos>"]),
    ],
)
def test_strings_between_spaces_with_an_end_of_every_line_even_if_empty(text: str, tokens: list[str]) -> None:
    assert list(split_at_spaces(text)) == tokens


@pytest.mark.parametrize(
    "line", ["word " * 3 * 10**5, "a-" * 2_500_000, "a" * 5_000_000], ids=["words", "hyphens", "letters"]
)
@pytest.mark.parametrize("kind", TOKENISERS)
def test_memory_for_a_long_line_does_not_grow_with_its_tokens(kind: str, line: str) -> None:
    tokeniser = TOKENISERS[kind]
    vocabulary = build_vocabulary(tokeniser.count([line[:100]]), tokeniser.line_end)
    encode = tokeniser.encoder(vocabulary)
    tracemalloc.start()
    total = sum(len(batch) for batch in encode(line))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total >= 1
    assert peak < 3 * 5_000_000


def test_character_beyond_the_basic_plane_is_one_token() -> None:
    tokeniser = TOKENISERS["characters"]
    (ids,) = tokeniser.encoder(["<unk>", "\N{GRINNING FACE}", "\n"])("x\N{GRINNING FACE}\n")
    np.testing.assert_array_equal(ids, [0, 1, 2])


# Vocabulary


def of_characters(tokens: Iterable[str], **options: int) -> list[str]:
    return build_vocabulary(Counter(tokens), "\n", **options)


def of_words(tokens: str, **options: int) -> list[str]:
    return build_vocabulary(Counter(tokens.split()), END_OF_LINE, **options)


def test_vocabulary_is_ranked_by_frequency_then_alphabetically() -> None:
    assert of_characters("bcacbd\n\n\n\n") == ["<unk>", "\n", "b", "c", "a", "d"]


@pytest.mark.parametrize("order", ["abc", "cba", "bac"])
def test_vocabulary_does_not_depend_on_the_order_of_the_text(order: str) -> None:
    assert of_characters(order) == ["<unk>", "a", "b", "c", "\n"]


@pytest.mark.parametrize(("size", "length"), [(None, 6), (10, 6), (6, 6), (5, 5), (2, 2)])
def test_size_includes_the_special_tokens(size: int | None, length: int) -> None:
    assert len(build_vocabulary(Counter("dcba"), END_OF_LINE, size=size)) == length


def test_literal_unknown_token_is_not_a_second_one() -> None:
    assert of_words("<unk> a <unk>") == ["<unk>", "<eos>", "a"]


def test_end_of_line_is_the_first_word_even_if_rare() -> None:
    assert of_words("the the the cat cat <eos>") == ["<unk>", "<eos>", "the", "cat"]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_line_end_of_characters_is_always_included(size: int) -> None:
    assert of_characters("aaaabbbcc\n", size=size) == ["<unk>", *"abc"[: size - 2], "\n"]


def test_frequent_line_end_keeps_its_rank() -> None:
    assert of_characters("aaaa\n\n\nbb", size=4) == ["<unk>", "a", "\n", "b"]


@pytest.mark.parametrize(("least", "kept"), [(1, ["a", "b", "c"]), (2, ["a", "b"]), (3, ["a"]), (4, [])])
def test_rare_tokens_are_left_out(least: int, kept: list[str]) -> None:
    assert of_words("a a a b b c", minimum_count=least) == ["<unk>", "<eos>", *kept]


def test_size_and_minimum_count_apply_together() -> None:
    assert of_words("a a a b b c", minimum_count=2, size=3) == ["<unk>", "<eos>", "a"]
    assert of_words("a a a b b c", minimum_count=3, size=9) == ["<unk>", "<eos>", "a"]
