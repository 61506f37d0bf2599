"""Features of a text, against values counted by hand."""

import numpy as np

from cvnlp.language.insight.text_features import positions, steps_since, text_features

CHARACTERS = ["<unk>", "\n", " ", "a", "b", "A", "B", ",", '"']
TEXT = '\nAB a,b\n"a" b '


def tokens_of(text: str) -> np.ndarray:
    return np.array([CHARACTERS.index(letter) for letter in text])


def count(text: str) -> dict[str, list[float]]:
    found = text_features(tokens_of(text), CHARACTERS, line_end=1, token_kind="characters")
    return {name: values.tolist() for name, values in found.items()}


def test_positions_start_at_1_after_every_line_end() -> None:
    assert positions(np.array([1, 5, 5, 1, 1, 4]), 1).tolist() == [0, 1, 2, 0, 0, 1]


def test_an_event_is_assumed_before_the_first_place() -> None:
    assert steps_since(np.array([False, False, True, False])).tolist() == [1, 2, 0, 1]


def test_features_of_characters() -> None:
    found = count(TEXT)
    assert found["position in the line"] == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6]
    assert found["tokens since punctuation"] == [1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert found["position in the word"] == [0, 1, 2, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0]
    assert found["in an uppercase word"] == [0, 0, 1] + [0] * 11  # at the second capital: the first may begin a name
    assert found["in quotation marks"] == [0] * 8 + [1, 1, 0, 0, 0, 0]


def test_an_unpaired_quotation_mark_ends_with_its_line() -> None:
    assert count('\n"a\nab')["in quotation marks"] == [0, 1, 1, 0, 0, 0]


def test_word_tokens_have_no_features_of_letters() -> None:
    found = text_features(np.array([1, 2, 3, 1, 2]), ["<unk>", "<eos>", "King", ","], line_end=1, token_kind="words")
    assert {name: values.tolist() for name, values in found.items()} == {
        "position in the line": [0, 1, 2, 0, 1],
        "tokens since punctuation": [1, 2, 0, 1, 2],
    }


def test_features_that_hardly_vary_are_left_out() -> None:
    assert "in quotation marks" not in count("\n" + "ab\n" * 60)
    assert "tokens since punctuation" not in count("ab\n" * 60)  # never 0


def test_features_do_not_depend_on_later_tokens() -> None:
    whole, part = count(TEXT), count(TEXT[:9])
    assert all(whole[name][:9] == values for name, values in part.items())
