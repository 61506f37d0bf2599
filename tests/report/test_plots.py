"""What all figures share."""

import itertools
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cvnlp.report import plots


def test_each_of_many_lines_is_told_apart() -> None:
    names = [f"run_{number}" for number in range(25)]
    styles = plots.line_styles(names)
    assert list(styles) == names
    seen = [tuple(styles[name].values()) for name in names]
    assert len(set(seen[:21])) == 21
    assert seen[21:] == seen[:4]
    assert {style["linestyle"] for style in list(styles.values())[: len(plots.COLOURS)]} == {"-"}


def test_long_titles_of_pictures_do_not_run_into_each_other(drawn: dict[str, Figure], tmp_path: Path) -> None:
    title = "lawn mower as aquarium fish (88%)"
    plots.draw_pictures([[np.zeros((4, 4, 1))] * 3], [[title, "7 as 9 (88%)", title]], tmp_path / "titles.png")
    figure = drawn["titles.png"]
    figure.draw_without_rendering()
    boxes = [axis.title.get_window_extent() for axis in figure.axes]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert [axis.get_title().replace("\n", " ") for axis in figure.axes] == [title, "7 as 9 (88%)", title]
    assert "\n" not in figure.axes[1].get_title()
