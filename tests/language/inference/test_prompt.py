"""A prompt becomes the ids that the data set would have, without an end of the last line."""

import pytest

from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.data.tokens import TOKENISERS
from cvnlp.language.inference.prompt import read_prompt

VOCABULARY = ["<unk>", "<eos>", "to", "be", ",", "To", "well-known", "or", "not", "T", "o", " ", "\n"]


def facts(tokens: str, *, lowercase: bool = False) -> LanguageFacts:
    kind = TOKENISERS[tokens].token_kind
    return LanguageFacts.model_construct(tokens=tokens, token_kind=kind, lowercase=lowercase)


def words_of(prompt: str, tokens: str, *, lowercase: bool = False) -> list[str]:
    ids, _ = read_prompt(prompt, VOCABULARY, facts(tokens, lowercase=lowercase))
    return [VOCABULARY[number] for number in ids]


@pytest.mark.parametrize("tokens", sorted(TOKENISERS))
@pytest.mark.parametrize("text", ["", "to be, or\n", "\n\nwell-known\nto be , \n", "<unk> not\n"])
def test_whole_lines_have_the_ids_of_the_data_set(tokens: str, text: str) -> None:
    vocabulary = ["<unk>", *"Tbeo, \n"] if tokens == "characters" else VOCABULARY
    data = [int(number) for batch in TOKENISERS[tokens].encoder(vocabulary)(text) for number in batch]
    known = [number if number < len(vocabulary) else 0 for number in data]  # the encoder's number of a literal <unk>
    assert read_prompt(text, vocabulary, facts(tokens))[0] == known


@pytest.mark.parametrize(
    ("tokens", "prompt", "expected"),
    [
        ("characters", "To", ["T", "o"]),
        ("words", "to be,", ["to", "be", ","]),
        ("words", "to\nbe ", ["to", "<eos>", "be"]),
        ("words", "to\n  ", ["to", "<eos>"]),
        ("words", "well-", ["<unk>", "<unk>"]),
        ("whitespace", "to be", ["to", "be"]),
        ("whitespace", "to\n  ", ["to", "<eos>"]),
        ("whitespace", "\nto", ["<eos>", "to"]),
    ],
)
def test_last_line_is_not_ended(tokens: str, prompt: str, expected: list[str]) -> None:
    assert words_of(prompt, tokens) == expected


@pytest.mark.parametrize("tokens", sorted(TOKENISERS))
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_all_systems_are_converted(tokens: str, end: str) -> None:
    assert words_of(f"to{end}be", tokens) == words_of("to\nbe", tokens)


def test_capitals_are_kept_unless_the_data_set_is_lower_case() -> None:
    assert words_of("To BE", "words") == ["To", "<unk>"]
    assert words_of("To BE", "words", lowercase=True) == ["to", "be"]


def test_unknown_words_are_listed_once_in_their_order() -> None:
    ids, unknown = read_prompt("zephyr, to <unk> Zephyr zephyr", VOCABULARY, facts("whitespace"))
    assert ids == [0, 2, 0, 0, 0]
    assert unknown == ["zephyr,", "Zephyr", "zephyr"]
