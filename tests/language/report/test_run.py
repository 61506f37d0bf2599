"""A text laid out as letters with what each cost."""

import math

from cvnlp.language.report.run import LINE_END, LINE_WIDTH, lay_out


def letters(lines):
    return ["".join(letter for letter, _ in line) for line in lines]


def test_characters_keep_their_lines_and_their_costs():
    lines = lay_out(list("To be\nor"), [float(number) for number in range(8)], "characters", "\n")
    assert letters(lines) == [f"To be{LINE_END}", "or"]
    assert [cost for line in lines for _, cost in line] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_words_are_set_apart_by_gaps_that_cost_nothing():
    (line, rest) = lay_out(["to", "be", "<eos>", "or"], [1.0, 2.0, 3.0, 4.0], "words", "<eos>")
    assert letters([line, rest]) == [f"to be {LINE_END}", "or "]
    assert [cost for _, cost in line if not math.isnan(cost)] == [1, 1, 2, 2, 3]


def test_a_long_line_goes_on_in_the_next():
    lines = lay_out(list("x" * (2 * LINE_WIDTH + 3)), [1.0] * (2 * LINE_WIDTH + 3), "characters", "\n")
    assert [len(line) for line in lines] == [LINE_WIDTH, LINE_WIDTH, 3]
