"""The vocabulary: ranked, cut, and always able to start a text."""

from collections import Counter
from collections.abc import Iterable

import pytest

from cvnlp.language.data.vocabulary import END_OF_LINE, build_vocabulary


def of_characters(tokens: Iterable[str], **options: int) -> list[str]:
    return build_vocabulary(Counter(tokens), "\n", **options)


def of_words(tokens: str, **options: int) -> list[str]:
    return build_vocabulary(Counter(tokens.split()), END_OF_LINE, **options)


def test_vocabulary_is_ranked_by_frequency_and_ties_by_the_alphabet() -> None:
    assert of_characters("bcacbd\n\n\n\n") == ["<unk>", "\n", "b", "c", "a", "d"]


@pytest.mark.parametrize("order", ["abc", "cba", "bac"])
def test_order_of_the_text_does_not_matter(order: str) -> None:
    assert of_characters(order) == ["<unk>", "a", "b", "c", "\n"]


@pytest.mark.parametrize(("size", "length"), [(None, 6), (10, 6), (6, 6), (5, 5), (2, 2)])
def test_size_counts_the_special_tokens_too(size: int | None, length: int) -> None:
    assert len(build_vocabulary(Counter("dcba"), END_OF_LINE, size=size)) == length


def test_unknown_in_the_text_is_no_second_token() -> None:
    assert of_words("<unk> a <unk>") == ["<unk>", "<eos>", "a"]


def test_end_of_line_comes_first_of_the_words_however_rare() -> None:
    assert of_words("the the the cat cat <eos>") == ["<unk>", "<eos>", "the", "cat"]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_line_end_of_characters_takes_the_last_place_rather_than_none(size: int) -> None:
    assert of_characters("aaaabbbcc\n", size=size) == ["<unk>", *"abc"[: size - 2], "\n"]


def test_line_end_that_is_frequent_keeps_its_rank() -> None:
    assert of_characters("aaaa\n\n\nbb", size=4) == ["<unk>", "a", "\n", "b"]


@pytest.mark.parametrize(("least", "kept"), [(1, ["a", "b", "c"]), (2, ["a", "b"]), (3, ["a"]), (4, [])])
def test_tokens_that_are_too_rare_are_left_out(least: int, kept: list[str]) -> None:
    assert of_words("a a a b b c", minimum_count=least) == ["<unk>", "<eos>", *kept]


def test_size_and_least_count_hold_together() -> None:
    assert of_words("a a a b b c", minimum_count=2, size=3) == ["<unk>", "<eos>", "a"]
    assert of_words("a a a b b c", minimum_count=3, size=9) == ["<unk>", "<eos>", "a"]
