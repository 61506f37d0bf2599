"""The look of all figures: titles, labels, nothing cut off, no formula in the data's names."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cvnlp.report import galleries, picture_grid, plots
from report_contents import is_cut_off, texts_of, title


def saved(path: Path) -> np.ndarray:
    """The file in shades of grey."""
    return np.asarray(Image.open(path).convert("L"))


def test_each_of_many_lines_has_a_style_of_its_own() -> None:
    names = [f"run_{number}" for number in range(25)]
    styles = plots.line_styles(names)
    assert list(styles) == names
    seen = [tuple(styles[name].values()) for name in names]
    assert len(set(seen[:21])) == 21
    assert seen[21:] == seen[:4]
    assert {style["linestyle"] for style in list(styles.values())[: len(plots.COLOURS)]} == {"-"}


def test_long_titles_of_pictures_do_not_overlap(drawn: dict[str, Figure], tmp_path: Path) -> None:
    long = "lawn mower as aquarium fish (88%)"
    titles = [[long, "7 as 9 (88%)", long]]
    picture_grid.draw_pictures([[np.zeros((4, 4, 1))] * 3], titles, tmp_path / "titles.png", title="Pictures")
    figure = drawn["titles.png"]
    figure.draw_without_rendering()
    texts = texts_of(figure)
    boxes = [text.get_window_extent() for text in texts]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert [text.get_text().replace("\n", " ") for text in texts] == titles[0]
    assert "\n" not in texts[1].get_text()


@pytest.mark.parametrize("count", [1, 2, 9])
def test_pictures_have_a_title_and_rows_and_nothing_is_cut_off(
    count: int, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    rows, name = [[np.zeros((4, 4, 1))] * count] * 2, "A rather long title of some pictures next to each other"
    titles = [["true class → predicted class (88%)"] * count] * 2
    picture_grid.draw_pictures(
        rows, titles, tmp_path / "grid.png", title=name, row_titles=("the original", "transformed")
    )
    assert title(drawn["grid.png"]) == name
    assert not is_cut_off(drawn["grid.png"])
    texts = [text.get_text() for text in texts_of(drawn["grid.png"])]
    assert texts[2 * count :] == ["the original", "transformed"]


def test_rows_of_pictures_may_differ_in_length(tmp_path: Path) -> None:
    rows, path = [[np.zeros((2, 2, 1))] * 3, [np.zeros((2, 2, 1))]], tmp_path / "grid.png"
    picture_grid.draw_pictures(rows, [[""] * 3, [""]], path, title=".", size=1.0)
    black = saved(path)[100:] == 0  # below the title
    columns = [np.flatnonzero(np.diff(part.any(0).astype(int))).tolist() for part in (black[:200], black[250:])]
    assert len(columns[0]) == 6
    assert columns[1] == columns[0][:2]


def test_pictures_that_are_not_square_keep_their_shape(tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    picture_grid.draw_pictures([[np.zeros((10, 20, 1))]], [[""]], path, title=".", size=1.0)
    black = saved(path)[100:] == 0
    assert (black.any(1).sum(), black.any(0).sum()) == (plots.DPI // 2, plots.DPI)


def test_pictures_are_saved_with_their_colours_and_sharp_pixels(tmp_path: Path) -> None:
    picture, path = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), tmp_path / "grid.png"
    picture_grid.draw_pictures([[picture]], [[""]], path, title=".", size=1.0)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)[100:]
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 50)
    blue = (pixels[..., 2] > 200) & (pixels[..., 1] < 50)
    assert red.sum() == blue.sum() == plots.DPI**2 // 4


def test_mosaic_has_a_title_and_a_name_for_each_row_and_nothing_is_cut_off(
    drawn: dict[str, Figure], tmp_path: Path
) -> None:
    rows, names = [np.zeros((5, 8, 8, 1), np.uint8)] * 2, ["0", "a class with a very long name"]
    found = galleries.strips("Training images", "", rows, names, tmp_path / "mosaic.png", "Rows of images")
    assert [(name, pictures[0].pixels.shape) for name, pictures in found.rows] == [(name, (8, 44, 1)) for name in names]
    figure = drawn["mosaic.png"]
    assert title(figure) == "Training images"
    assert [text.get_text() for text in texts_of(figure)] == names
    assert not is_cut_off(figure)


@pytest.mark.parametrize("name", ["$x$", "$", "a_b^c$_$", "\\alpha"])
def test_names_are_never_read_as_formulas(name: str, drawn: dict[str, Figure], tmp_path: Path) -> None:
    picture_grid.draw_pictures([[np.zeros((2, 2, 1))]], [[name]], tmp_path / "names.png", title=name)
    (text,) = texts_of(drawn["names.png"])
    assert text.get_text() == name
    assert not text.get_parse_math()
    drawn["names.png"].draw_without_rendering()


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ((1, 1000), ["1", "10", "100", "1000"]),
        ((1e-12, 1), ["1e-12", "1e-10", "1e-8", "1e-6", "0.0001", "0.01", "1"]),
        ((20, 150), ["20", "30", "50", "70", "100"]),
        ((1e6, 1e9), ["1e6", "1e7", "1e8", "1e9"]),
        ((3e6, 9e6), ["3e6", "5e6", "7e6"]),
        ((2.7e5, 3.5e5), ["2.7e5", "2.8e5", "2.9e5", "3e5", "3.1e5", "3.2e5", "3.3e5", "3.4e5", "3.5e5"]),
        ((0.2, 15), ["0.2", "0.5", "1", "2", "5", "10"]),
    ],
)
def test_logarithmic_axes_are_labelled_with_plain_numbers(limits: tuple[float, float], shown: list[str]) -> None:
    figure, (axis,) = plots.panels(1, title="Logarithmic")
    axis.set(xscale="log", xlim=limits)
    plots.label_log_axis(axis.xaxis)
    figure.draw_without_rendering()
    ticks = zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)
    minor = zip(axis.get_xticks(minor=True), axis.get_xticklabels(minor=True), strict=True)
    found = {tick: label.get_text() for tick, label in [*ticks, *minor] if label.get_text()}
    within = [found[tick] for tick in sorted(found) if limits[0] * 0.99 <= tick <= limits[1] * 1.01]
    assert within == shown


def test_rows_of_plots_have_the_figure_s_title() -> None:
    figure, axes = plots.panels(
        2, title="A title that is too long for one line of a small figure", width=1.5, height=1.5
    )
    assert len(axes) == 2
    assert title(figure) == "A title that is too long for one line of a small figure"
    assert not is_cut_off(figure)
