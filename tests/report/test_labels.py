"""Labels of figures: one short line of letters that a font has, whatever a class is called."""

import warnings

import pytest

from cvnlp.report import labels, plots
from report_contents import is_cut_off

NAMES = ["$x^{$", "a|b", "1.50", "1e5", "nan", "None", "true", "W" * 200, "two\nlines", "\\frac{a}", "_hidden"]
GLYPHLESS = [
    "猫",
    "ไทย",
    "\N{FOX FACE}",
    "\N{WHITE SMILING FACE}\N{VARIATION SELECTOR-16}",
    "a\x00b",
    "\U000e0061",
    "猫" * 200,
]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a class", "a class"),
        ("1.50", "1.50"),
        ("two\nlines\t", "two lines"),
        ("x" * 24, "x" * 24),
        ("first part of it and the end", "first part of i… the end"),
        ("_hidden", "\N{HAIR SPACE}_hidden"),
        ("été Σ", "été Σ"),
    ],
)
def test_label_is_short_and_on_one_line(name: str, label: str) -> None:
    assert labels.short_label(name) == label


@pytest.fixture
def only_dejavu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "FALLBACKS", ())
    labels._glyphs.cache_clear()


@pytest.mark.usefixtures("only_dejavu")
@pytest.mark.parametrize(
    ("name", "label"),
    [("猫", "U+732B"), ("a猫b", "a U+732B b"), ("\N{FOX FACE}", "fox face"), ("\N{FOX FACE}\ufe0f", "fox face")],
)
def test_letter_without_a_glyph_becomes_its_code_or_its_name(name: str, label: str) -> None:
    assert labels.short_label(name) == label
    assert labels.drawable("x猫", "?") == "x?"


@pytest.mark.parametrize("name", NAMES + GLYPHLESS)
def test_any_name_is_drawn_without_a_warning_and_in_the_legend(name: str) -> None:
    label = labels.short_label(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure, (axis,) = plots.panels(1, title=label)
        axis.plot([0, 1], [0, 1], label=label)
        axis.set_yticks([0, 1], [label, "other"])
        assert [text.get_text() for text in axis.legend().get_texts()] == [label]
        assert not is_cut_off(figure)
