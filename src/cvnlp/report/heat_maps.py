"""Heat maps: a coloured cell for each number, with labels of rows and columns, pasted as pictures of few pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np

from cvnlp.report import plots
from cvnlp.report.labels import label_room
from cvnlp.report.picture_grid import MARGIN, Sheet

SHORT = 2  # letters of labels of columns that are not rotated
GAP = 0.06  # inches between a label and the cells
LINE = 0.2  # inches, of a title of a map or of an axis
BAR, BAR_LABELS = 0.14, 0.75  # inches: the width of a colour bar, and of its labels
FRAME, GREY = 0.01, np.full((1, 1, 1), 150, np.uint8)  # inches, around a map
SMALLEST = 2.0  # inches, of a side of a map
EQUAL_CONTRAST = 0.18  # luminance at which black and white text have the same contrast
TICKS = 5  # of a colour bar


@dataclass(frozen=True)
class HeatMap:
    """Numbers (rows, columns), NaN where there is none, and their texts by row and column, white on dark cells."""

    numbers: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]
    texts: Mapping[tuple[int, int], str] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class Style:
    """Colours (a colour map of matplotlib) from `low` to `high`; sizes in points; the size of a cell in inches."""

    colours: str = "Blues"
    low: float = 0.0
    high: float = 1.0
    cell: tuple[float, float] = (0.42, 0.42)  # width, height
    label_size: float = 10
    text_size: float = 8


def draw(
    maps: Sequence[HeatMap],
    path: Path,
    *,
    title: str,
    style: Style,
    row_axis: str = "",
    column_axis: str = "",
    bar: str = "",
) -> None:
    """Maps next to each other, with titles of their axes; `bar`: what the colours mean, shown as a colour bar."""
    style = _large_enough(style, maps)
    scale = style.label_size / mpl.rcParams["font.size"]
    left = LINE * bool(row_axis) + scale * max(label_room(one.rows, free=0) for one in maps) + GAP
    widths = [left + style.cell[0] * len(one.columns) + 2 * MARGIN for one in maps]
    rotated = max(len(name) for one in maps for name in one.columns) > SHORT
    below = (scale * max(label_room(one.columns, free=0) for one in maps) if rotated else LINE) + 2 * GAP
    width = max(3.0, MARGIN + sum(widths) + (BAR + BAR_LABELS if bar else 0))
    wrapped, above = plots.figure_title(title, width)
    above += LINE * any(one.title for one in maps)
    high = max(style.cell[1] * len(one.rows) for one in maps)
    sheet = Sheet(width, above + high + below + LINE * bool(column_axis), title=wrapped)
    place = MARGIN
    for one, wide in zip(maps, widths, strict=True):
        _draw_map(sheet, one, place + left, above, style, rotation=90 if rotated else 0)
        middle = place + left + style.cell[0] * len(one.columns) / 2
        sheet.write(middle, above + high + below, column_axis, ha="center", va="top")
        sheet.write(place, above + high / 2, row_axis, rotation=90, ha="left", va="center")
        place += wide
    if bar:
        _draw_bar(sheet, place, above, high, style, bar)
    sheet.save(path)


def _large_enough(style: Style, maps: Sequence[HeatMap]) -> Style:
    """With larger cells where there are few: titles of maps and axes need room."""
    rows, columns = (min(one.numbers.shape[side] for one in maps) for side in (0, 1))
    wide, high = style.cell
    return replace(style, cell=(max(wide, SMALLEST / columns), max(high, SMALLEST / rows)))


def _draw_map(sheet: Sheet, shown: HeatMap, left: float, top: float, style: Style, *, rotation: float) -> None:
    colours = _colours(shown.numbers, style)
    (wide, high), (rows, columns) = style.cell, shown.numbers.shape
    frame = (left - FRAME, top - FRAME, wide * columns + 2 * FRAME, high * rows + 2 * FRAME)
    sheet.paste(GREY, *frame)
    sheet.paste(colours, left, top, wide * columns, high * rows)
    sheet.write(left + wide * columns / 2, top - GAP, shown.title, ha="center", va="bottom")
    for (row, column), text in shown.texts.items():
        colour = "white" if _is_dark(colours[row, column]) else "black"
        centre = left + wide * (column + 0.5), top + high * (row + 0.5)
        sheet.write(*centre, text, color=colour, fontsize=style.text_size, ha="center", va="center_baseline")
    for row, name in enumerate(shown.rows):
        sheet.write(left - GAP, top + high * (row + 0.5), name, fontsize=style.label_size, ha="right", va="center")
    for column, name in enumerate(shown.columns):
        middle, under = left + wide * (column + 0.5), top + high * rows + GAP
        sheet.write(middle, under, name, fontsize=style.label_size, rotation=rotation, ha="center", va="top")


def _draw_bar(sheet: Sheet, left: float, top: float, high: float, style: Style, name: str) -> None:
    shades = np.linspace(style.high, style.low, 256)[:, None]
    sheet.paste(_colours(shades, style), left, top, BAR, high)
    for share in np.linspace(0, 1, TICKS):
        number = f"{style.low + share * (style.high - style.low):g}"
        sheet.write(left + BAR + GAP, top + high * (1 - share), number, fontsize=8, ha="left", va="center")
    sheet.write(left + BAR + BAR_LABELS - MARGIN, top + high / 2, name, rotation=90, ha="right", va="center")


def _colours(values: np.ndarray, style: Style) -> np.ndarray:
    """(rows, columns, 3), uint8; white where there is no number."""
    shares = (values - style.low) / (style.high - style.low)
    found: np.ndarray = mpl.colormaps[style.colours](shares, bytes=True)[..., :3]
    found[np.isnan(values)] = 255
    return found


def _is_dark(colour: np.ndarray) -> bool:
    """Whether white has more contrast than black on an sRGB colour (uint8), by the relative luminance of WCAG 2."""
    linear = (colour / 255) ** 2.2
    return bool(linear @ (0.2126, 0.7152, 0.0722) < EQUAL_CONTRAST)
