"""The look of all figures, and grids of pictures. The same numbers give the same bytes."""

import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from cvnlp.report import labels

# the palette of Okabe and Ito, distinguishable with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#999999"
TITLE_CHARS_PER_INCH = 14  # of a picture's title
FIGURE_TITLE_CHARS_PER_INCH = 10.5
LINE_HEIGHT = 0.14  # inches, of a picture's title
FIGURE_LINE_HEIGHT = 0.2  # inches, of a figure's title
MARGIN = 0.1  # inches around and between the pictures of a grid
NARROWEST = 4.0  # inches, of a grid of pictures: its title needs room

mpl.rcParams.update(
    {
        "figure.dpi": 110,
        "figure.titlesize": 11,
        "figure.titleweight": "bold",
        "font.family": labels.families(),
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#E6E6E6",
        "axes.axisbelow": True,
        "axes.titlesize": 10,
        "legend.frameon": False,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.06,
        "text.parse_math": False,  # names of classes and tokens are data: a dollar sign begins no formula
    }
)

Styles = Mapping[str, Mapping[str, Any]]  # name of a line -> keyword arguments of matplotlib's plot


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = figure.get_layout_engine()
    if layout is not None:  # once: savefig would draw the figure a first time only to lay it out, and then again
        layout.execute(figure)
        figure.set_layout_engine(None)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def panels(
    count: int, *, title: str, width: float = 4.2, height: float = 3.2, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A row of `count` plots, each of this size in inches, under the figure's title."""
    wrapped, room = _figure_title(title, width * count)
    figure, axes = plt.subplots(
        1, count, figsize=(width * count, height + room), sharey=sharey, squeeze=False, layout="constrained"
    )
    figure.suptitle(wrapped)
    return figure, list(axes[0])


def stack(count: int, *, title: str, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A column of `count` plots, each of this size in inches, under the figure's title."""
    wrapped, room = _figure_title(title, width)
    figure, axes = plt.subplots(count, 1, figsize=(width, height * count + room), squeeze=False, layout="constrained")
    figure.suptitle(wrapped)
    return figure, list(axes[:, 0])


def _figure_title(title: str, width: float) -> tuple[str, float]:
    """The title in lines that fit into `width` inches, and the height that they need."""
    wrapped = textwrap.fill(title, max(10, round(FIGURE_TITLE_CHARS_PER_INCH * width)))
    return wrapped, 0.1 + FIGURE_LINE_HEIGHT * (wrapped.count("\n") + 1)


def line_styles(names: Iterable[str]) -> Styles:
    """A colour and a kind of line for each name: all colours solid, then dashed, then dotted, then from the start."""
    styles = itertools.cycle(itertools.product(("-", "--", ":"), COLOURS))
    return {name: {"linestyle": line, "color": colour} for name, (line, colour) in zip(names, styles, strict=False)}


def label_log_axis(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, not with powers; call it once everything is drawn.

    An axis of less than two powers of ten also has labels at 2 and 5, one of less than a power of ten also at 3 and 7.
    """
    low, high = sorted(axis.get_view_interval())
    labelled = "12357" if high < 10 * low else "25" if high < 100 * low else ""
    axis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: _plain(value) if f"{value:e}"[0] in labelled else ""))


def _plain(value: float) -> str:
    """`0.001`, `2000`, and from 100,000 on or below 0.0001 `1e6`, `2.5e-8`."""
    if value == 0 or 1e-4 <= abs(value) < 1e5:
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


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
    figure, axes = picture_grid(titles, title=title, row_titles=row_titles, size=size)
    for line, pictures in zip(axes, rows, strict=True):
        for axis, picture in zip(line, pictures, strict=False):
            show(axis, picture)
    save(figure, path)


def picture_grid(
    titles: Sequence[Sequence[str]], *, title: str, row_titles: Sequence[str] = (), size: float = 1.1
) -> tuple[Figure, np.ndarray]:
    """Axes without frames, (rows, columns) of `size` inches, for pictures with these titles above.

    They are placed by hand: matplotlib's layouts measure every title and take several times as long.
    """
    rows, columns = len(titles), max(map(len, titles))
    left = MARGIN + (0.1 + LINE_HEIGHT * _lines(row_titles, size) if row_titles else 0)
    room = MARGIN + LINE_HEIGHT * _lines(itertools.chain(*titles), size)
    right = left + size * columns + MARGIN * (columns - 1)
    width = max(right + MARGIN, NARROWEST)
    wrapped, above = _figure_title(title, width)
    height = above + (room + size) * rows + MARGIN
    places = {
        "left": left / width,
        "right": right / width,
        "bottom": MARGIN / height,
        "top": 1 - (above + room) / height,
    }
    spaces = {"wspace": MARGIN / size, "hspace": room / size}
    with mpl.rc_context({"axes.grid": False}):  # it is not shown here, and would take a quarter of the time
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, gridspec_kw=places | spaces)
    figure.suptitle(wrapped, y=1 - MARGIN / height)
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


def draw_mosaic(rows: Sequence[np.ndarray], names: Sequence[str], path: Path, *, title: str, size: float = 0.7) -> None:
    """Rows of uint8 pictures (N, H, W, C) of one size, a name for each row, as a single image: fast for many."""
    height, width, channels = rows[0].shape[1:]
    gap = max(1, height // 16)
    columns = max(map(len, rows))
    canvas = np.full((len(rows) * (height + gap), columns * (width + gap), channels), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = row * (height + gap), column * (width + gap)
            canvas[top : top + height, left : left + width] = picture
    room = 1 + labels.label_room(names)
    figure, (axis,) = panels(1, title=title, width=size * columns * width / height + room, height=size * len(rows))
    show(axis, canvas)
    axis.set_yticks([row * (height + gap) + height / 2 for row in range(len(rows))], names)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    save(figure, path)


def heat_map(
    axis: Axes,
    shares: np.ndarray,
    texts: Mapping[tuple[int, int], str],
    labels: tuple[Sequence[str], Sequence[str]],
    *,
    colours: str = "Blues",
    dark: float = 0.6,
    rotation: float = 90,
    size: int = 8,
) -> None:
    """Shares (rows, columns) in [0, 1] as colours (NaN: none), with texts, white on shares above `dark`, and labels."""
    axis.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for (row, column), text in texts.items():
        colour = "white" if shares[row, column] > dark else "black"
        axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
    rows, columns = labels
    axis.set_xticks(range(len(columns)), columns, rotation=rotation)
    axis.set_yticks(range(len(rows)), rows)
    axis.grid(False)


def signed_colours(values: np.ndarray) -> np.ndarray:
    """White for 0, orange for the largest positive value, blue for as large a negative one; (H, W, 3) in [0, 1]."""
    share = values[..., None] / max(float(np.abs(values).max()), 1e-12)
    orange, blue = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])
    return np.where(share > 0, 1 - share * (1 - orange), 1 + share * (1 - blue))


def show(axis: Axes, picture: np.ndarray) -> None:
    """A picture (H, W, C) in [0, 1] or uint8; one channel is grey."""
    picture = picture / 255 if picture.dtype == np.uint8 else picture.clip(0, 1)  # rounding may exceed the range
    shown: Any = picture[..., 0] if picture.shape[-1] == 1 else picture
    axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def frame(axis: Axes, box: Mapping[Any, Any], colour: str, *, label: str = "", **style: Any) -> None:
    """A frame around the pixels of a shown picture from `top` and `left` on, `height` x `width`."""
    corner = (box["left"] - 0.5, box["top"] - 0.5)  # where its first pixel begins
    axis.add_patch(Rectangle(corner, box["width"], box["height"], fill=False, edgecolor=colour, **style))
    if label:
        plate = {"facecolor": colour, "edgecolor": "none", "pad": 0.6}
        axis.text(box["left"], box["top"], label, color="white", fontsize=6, va="top", bbox=plate)


def in_rows(items: Sequence[Any], width: int) -> list[list[Any]]:
    return [list(items[start : start + width]) for start in range(0, len(items), width)]
