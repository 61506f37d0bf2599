"""Texts as tokens with numbers."""

from cvnlp.language.report.token_texts import Tokens, visible


def test_words_are_separated_and_characters_are_not() -> None:
    assert Tokens(["to", "be"], "words", "<eos>").element("Text", "", ()).separator == " "
    assert Tokens(["t", "o"], "characters", "\n").element("Text", "", ()).separator == ""


def test_white_space_is_shown_by_its_name() -> None:
    assert [visible(token) for token in (" ", "\n", "\t", "`", "word")] == ["space", "line end", "tab", "`", "word"]
