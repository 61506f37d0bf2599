"""Grids of pictures with titles, placed by hand: matplotlib's layouts measure every title, which takes long."""

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cvnlp.report import plots

TITLE_CHARS_PER_INCH = 14  # of a picture's title
LINE_HEIGHT = 0.14  # inches, of a picture's title
MARGIN = 0.1  # inches around and between the pictures of a grid
NARROWEST = 4.0  # inches: the title of the figure needs room
TITLE: dict[str, Any] = {"fontsize": 8, "ha": "center", "va": "bottom"}
ROW_TITLE: dict[str, Any] = {"fontsize": 8, "rotation": 90, "ha": "right", "va": "center"}


@dataclass(frozen=True)
class _Layout:
    """Inches: of the figure, of a picture, of the room of its title, and of what is left of and above the first row."""

    width: float
    height: float
    size: float
    room: float
    left: float
    above: float
    title: str

    def place(self, row: int, column: int) -> tuple[float, float]:
        """Left and top of a picture."""
        return self.left + (self.size + MARGIN) * column, self.above + (self.room + self.size) * row + self.room


def _layout(titles: Sequence[Sequence[str]], title: str, row_titles: Sequence[str], size: float) -> _Layout:
    left = MARGIN + (0.1 + LINE_HEIGHT * _lines(row_titles, size) if row_titles else 0)
    room = MARGIN + LINE_HEIGHT * _lines(itertools.chain(*titles), size)
    columns = max(map(len, titles))
    width = max(left + (size + MARGIN) * columns, NARROWEST)
    wrapped, above = plots.figure_title(title, width)
    return _Layout(width, above + (room + size) * len(titles) + MARGIN, size, room, left, above, wrapped)


def draw_pictures(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[Sequence[str]],
    path: Path,
    *,
    title: str,
    row_titles: Sequence[str] = (),
    size: float = 1.1,
) -> None:
    """A grid of pictures (H, W, C) in [0, 1] or uint8, each `size` inches wide, with their titles above.

    `row_titles` are written to the left of each row. All are in one plot: a plot for each takes ten times as long.
    """
    layout = _layout(titles, title, row_titles, size)
    figure = plt.figure(figsize=(layout.width, layout.height))
    figure.suptitle(layout.title, y=1 - MARGIN / layout.height)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    axis.axis("off")
    for row, (pictures, names) in enumerate(zip(rows, titles, strict=True)):
        for column, (picture, name) in enumerate(itertools.zip_longest(pictures, names, fillvalue="")):
            left, top = layout.place(row, column)
            if not isinstance(picture, str):
                _show(axis, picture, left, top, size)
            axis.text(left + size / 2, top - 0.04, _wrapped(name, size), **TITLE)
    for row, name in enumerate(row_titles):
        left, top = layout.place(row, 0)
        axis.text(left - 0.05, top + size / 2, _wrapped(name, size), **ROW_TITLE)
    plots.save(figure, path)


def _show(axis: Axes, picture: np.ndarray, left: float, top: float, size: float) -> None:
    """In a square of `size` inches, as large as its shape allows."""
    height, width = (size * side / max(picture.shape[:2]) for side in picture.shape[:2])
    left, top = left + (size - width) / 2, top + (size - height) / 2
    plots.show(axis, picture, extent=(left, left + width, top + height, top), aspect="auto")


def picture_grid(
    titles: Sequence[Sequence[str]], *, title: str, row_titles: Sequence[str] = (), size: float = 1.1
) -> tuple[Figure, np.ndarray]:
    """Axes without frames, (rows, columns) of `size` inches, to draw on, with these titles above."""
    layout = _layout(titles, title, row_titles, size)
    rows, columns, width, height = len(titles), max(map(len, titles)), layout.width, layout.height
    places = {
        "left": layout.left / width,
        "right": (layout.left + (size + MARGIN) * columns - MARGIN) / width,
        "bottom": MARGIN / height,
        "top": 1 - (layout.above + layout.room) / height,
    }
    spaces = {"wspace": MARGIN / size, "hspace": layout.room / size}
    with mpl.rc_context({"axes.grid": False}):  # it is not shown here, and would take a quarter of the time
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, gridspec_kw=places | spaces)
    figure.suptitle(layout.title, y=1 - MARGIN / height)
    for axis in axes.flat:
        axis.axis("off")
    for line, names in zip(axes, titles, strict=True):
        for axis, name in zip(line, names, strict=False):
            axis.set_title(_wrapped(name, size), fontsize=8, pad=3, y=1)  # a stated place need not be measured
    for line, name in zip(axes, row_titles, strict=False):
        text = {"rotation": 90, "ha": "right", "va": "center", "fontsize": 8, "transform": line[0].transAxes}
        line[0].text(-0.05, 0.5, _wrapped(name, size), **text)
    return figure, axes


def _wrapped(title: str, inches: float) -> str:
    return textwrap.fill(title, round(TITLE_CHARS_PER_INCH * inches))


def _lines(titles: Iterable[str], inches: float) -> int:
    """The most lines that one of the titles takes."""
    return max((_wrapped(name, inches).count("\n") + 1 for name in titles if name), default=0)
