"""Elements of a report: what they refuse, and how their numbers become text."""

import math
from pathlib import Path

import pytest

from cvnlp.report.elements import Column, Figure, Image, Table, formatted, single_figure
from cvnlp.report.spread import Spread


@pytest.mark.parametrize(
    ("spread", "spec", "shown"),
    [
        (Spread(0.98416, None, 1), "", "0.9842"),
        (Spread(0.98416, 0.00123, 3), "", "0.9842 ± 0.0012 (3)"),
        (Spread(1808.04, None, 1), "", "1,808.0"),
        (Spread(114.06, 0.52, 2), "", "114.1 ± 0.5 (2)"),
        (Spread(114.06, 0.52, 2), ",.2f", "114.06 ± 0.52 (2)"),
    ],
)
def test_spread_is_formatted_by_the_specification_or_by_its_mean(spread: Spread, spec: str, shown: str) -> None:
    assert format(spread, spec) == shown


def test_scaled_spread_has_mean_and_deviation_in_the_new_unit() -> None:
    assert f"{Spread(0.9435, 0.0008, 3).scaled(100):.2f}" == "94.35 ± 0.08 (3)"
    assert f"{Spread(0.9435, None, 1).scaled(100):.2f}" == "94.35"


@pytest.mark.parametrize(
    ("value", "spec", "shown"),
    [
        (0.1234, ".1%", "12.3%"),
        (12345, ",d", "12,345"),
        ((0.5, 0.25), ".2f", "0.50, 0.25"),
        ("about 60k", ",d", "about 60k"),
        (None, ".3f", ""),
        (math.nan, ".3f", ""),
    ],
)
def test_values_are_formatted_and_missing_ones_are_empty(value: object, spec: str, shown: str) -> None:
    assert formatted(value, spec) == shown


def test_table_with_columns_of_different_lengths_is_refused() -> None:
    with pytest.raises(ValueError, match="table 'Scores' has columns of different lengths"):
        Table("Scores", (Column("a", [1, 2]), Column("b", [1])))


def test_table_has_its_cells_by_row() -> None:
    assert Table("Scores", (Column("a", "xy"), Column("b", [1, 2], "d"))).rows == [("x", 1), ("y", 2)]


@pytest.mark.parametrize(("title", "caption"), [("", "Caption."), ("Title", "")])
def test_figure_without_title_or_caption_is_refused(title: str, caption: str) -> None:
    with pytest.raises(ValueError, match="needs a title, a caption"):
        single_figure(title, caption, Path("a.png"), "A picture")


def test_figure_without_images_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        Figure("Title", "Caption.", ())


def test_image_without_alternative_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.png has no alternative text"):
        Image(Path("a.png"), "")
