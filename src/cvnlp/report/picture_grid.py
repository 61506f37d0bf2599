"""Grids of pictures with titles, placed by hand and pasted into one image: plots take ten times as long."""

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cvnlp.report import plots

TITLE_CHARS_PER_INCH = 14  # of a picture's title
LINE_HEIGHT = 0.14  # inches, of a picture's title
MARGIN = 0.1  # inches around and between the pictures of a grid
NARROWEST = 4.0  # inches: the title of the figure needs room
TITLE: dict[str, Any] = {"fontsize": 8, "ha": "center", "va": "bottom"}
ROW_TITLE: dict[str, Any] = {"fontsize": 8, "rotation": 90, "ha": "right", "va": "center"}


class Sheet:
    """A figure of pictures and texts at places that are given in inches from its left and its top."""

    def __init__(self, width: float, height: float, *, title: str) -> None:
        """`title`: in lines that fit."""
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width, height))
        self._figure.suptitle(title, y=1 - MARGIN / height)
        columns, rows = FigureCanvasAgg(self._figure).get_width_height()
        self._canvas = np.full((rows, columns, 3), 255, np.uint8)

    def paste(self, picture: np.ndarray, left: float, top: float, width: float, height: float) -> None:
        """A picture (H, W, C), uint8 or in [0, 1], one channel or three, with sharp pixels."""
        row, column, rows, columns = (round(inches * plots.DPI) for inches in (top, left, height, width))
        sources = (np.arange(size) * side // size for size, side in zip((rows, columns), picture.shape, strict=False))
        place = self._canvas[row : row + rows, column : column + columns]
        place[:] = in_bytes(picture)[np.ix_(*sources)][: place.shape[0], : place.shape[1]]

    def write(self, left: float, top: float, text: str, **style: Any) -> None:
        """`style`: of matplotlib's texts."""
        self._figure.text(left / self.width, 1 - top / self.height, text, **style)

    def save(self, path: Path) -> None:
        plots.save(self._figure, path, pictures=self._canvas)


def in_bytes(picture: np.ndarray) -> np.ndarray:
    """A picture in [0, 1] as uint8, one of uint8 as it is; rounding may exceed the range."""
    return picture if picture.dtype == np.uint8 else np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


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

    `row_titles` are written to the left of each row.
    """
    layout = _layout(titles, title, row_titles, size)
    sheet = Sheet(layout.width, layout.height, title=layout.title)
    for row, (pictures, names) in enumerate(zip(rows, titles, strict=True)):
        for column, picture in enumerate(pictures):
            _paste(sheet, picture, *layout.place(row, column), size)
        for column, name in enumerate(names):
            left, top = layout.place(row, column)
            sheet.write(left + size / 2, top - 0.04, _wrapped(name, size), **TITLE)
    for row, name in enumerate(row_titles):
        left, top = layout.place(row, 0)
        sheet.write(left - 0.05, top + size / 2, _wrapped(name, size), **ROW_TITLE)
    sheet.save(path)


def _paste(sheet: Sheet, picture: np.ndarray, left: float, top: float, size: float) -> None:
    """In a square of `size` inches, as large as its shape allows."""
    height, width = (size * side / max(picture.shape[:2]) for side in picture.shape[:2])
    sheet.paste(picture, left + (size - width) / 2, top + (size - height) / 2, width, height)


def _wrapped(title: str, inches: float) -> str:
    return textwrap.fill(title, round(TITLE_CHARS_PER_INCH * inches))


def _lines(titles: Iterable[str], inches: float) -> int:
    """The most lines that one of the titles takes."""
    return max((_wrapped(name, inches).count("\n") + 1 for name in titles if name), default=0)
