"""Grids of pictures: drawn as a file, and as pictures of their own resolution for writers that arrange them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from cvnlp.report import picture_grid, plots
from cvnlp.report.elements import Picture, Pictures
from cvnlp.report.labels import label_room
from cvnlp.report.picture_grid import Sheet, in_bytes

LABEL_MARGIN = 0.2  # inches, left and right of the names of rows
Row = tuple[str, Sequence[np.ndarray], Sequence[str]]  # title of the row, pictures, a title for each


def gallery(
    title: str,
    caption: str,
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[Sequence[str]],
    path: Path,
    alternative: str,
    *,
    row_titles: Sequence[str] = (),
    size: float = 1.1,
) -> Pictures:
    """Rows of pictures (H, W, C), uint8 or in [0, 1], each with a title; `size`: inches, in the drawing."""
    picture_grid.draw_pictures(rows, titles, path, title=title, row_titles=row_titles, size=size)
    names = row_titles or [""] * len(rows)
    return Pictures(title, caption, alternative, _rows(zip(names, rows, titles, strict=True)), path)


def undrawn(title: str, rows: Iterable[Row], *, caption: str = "", alternative: str = "") -> Pictures:
    """The same without a file."""
    return Pictures(title, caption, alternative or title, _rows(rows))


def _rows(rows: Iterable[Row]) -> tuple[tuple[str, tuple[Picture, ...]], ...]:
    return tuple(
        (name, tuple(Picture(in_bytes(picture), title) for picture, title in zip(pictures, titles, strict=False)))
        for name, pictures, titles in rows
    )


def strips(
    title: str, caption: str, rows: Sequence[np.ndarray], names: Sequence[str], path: Path, alternative: str
) -> Pictures:
    """Rows of uint8 pictures (N, H, W, C) without titles, a name for each row; each row becomes one picture."""
    _draw_strips(rows, names, path, title=title)
    found = ((name, (Picture(_strip(pictures), ""),)) for name, pictures in zip(names, rows, strict=True))
    return Pictures(title, caption, alternative, tuple(found), path)


def _strip(pictures: np.ndarray) -> np.ndarray:
    """The pictures next to each other, with a white pixel between them."""
    parts = np.pad(pictures, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=255)
    return np.concatenate(list(parts), axis=1)[:, :-1]


def _draw_strips(
    rows: Sequence[np.ndarray], names: Sequence[str], path: Path, *, title: str, size: float = 0.42
) -> None:
    """Rows of uint8 pictures (N, H, W, C) of one size, a name for each row."""
    height, width, channels = rows[0].shape[1:]
    gap = max(1, height // 16)
    columns = max(map(len, rows))
    canvas = np.full((len(rows) * (height + gap), columns * (width + gap), channels), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = row * (height + gap), column * (width + gap)
            canvas[top : top + height, left : left + width] = picture
    room, wide, high = LABEL_MARGIN + label_room(names, free=0), size * columns * width / height, size * len(rows)
    wrapped, above = plots.figure_title(title, wide + room)
    sheet = Sheet(wide + room, above + high, title=wrapped)
    sheet.paste(canvas, room, above, wide, high)
    for row, name in enumerate(names):
        middle = (row * (height + gap) + height / 2) / len(canvas) * high
        sheet.write(room - 0.06, above + middle, name, ha="right", va="center")
    sheet.save(path)
