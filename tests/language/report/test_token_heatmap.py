"""A text laid out in lines of letters, a number for each token."""

import math

import numpy as np

from cvnlp.language.report.token_heatmap import LINE_END, LINE_WIDTH, TokenText, draw, visible
from cvnlp.report import plots


def letters(lines):
    return ["".join(letter for letter, _ in line) for line in lines]


def test_characters_keep_their_lines_and_their_numbers():
    lines = TokenText(list("To be\nor"), "characters", "\n").lay_out([float(number) for number in range(8)])
    assert letters(lines) == [f"To be{LINE_END}", "or"]
    assert [number for line in lines for _, number in line] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_words_are_separated_by_gaps_without_a_number():
    (line, rest) = TokenText(["to", "be", "<eos>", "or"], "words", "<eos>").lay_out([1.0, 2.0, 3.0, 4.0])
    assert letters([line, rest]) == [f"to be {LINE_END}", "or "]
    assert [number for _, number in line if not math.isnan(number)] == [1, 1, 2, 2, 3]


def test_a_long_line_is_broken():
    lines = TokenText(list("x" * (2 * LINE_WIDTH + 3)), "characters", "\n").lay_out([1.0] * (2 * LINE_WIDTH + 3))
    assert [len(line) for line in lines] == [LINE_WIDTH, LINE_WIDTH, 3]


def test_letters_are_drawn_on_their_numbers_which_end_at_the_colour_bar():
    figure, (axis,) = plots.panels(1, title="Text")
    draw(axis, [[("a", 0.5), ("b", 7.0)], [("c", math.nan)]], low=0, high=2, cmap="Blues", label="nats")
    assert [text.get_text() for text in axis.texts] == ["a", "b", "c"]
    np.testing.assert_array_equal(axis.images[0].get_array().filled(np.nan), [[0.5, 2.0], [np.nan, np.nan]])
    bar = figure.axes[1]
    assert bar.get_ylim() == (0, 2) and bar.get_ylabel() == "nats"
    plots.plt.close(figure)


def test_white_space_is_shown_by_its_name():
    assert [visible(token) for token in (" ", "\n", "\t", "`", "word")] == ["space", "line end", "tab", "`", "word"]
