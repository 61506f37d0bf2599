"""The look of all figures, and grids of pictures. The same numbers give the same bytes."""

import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator
from PIL import Image

from cvnlp.report import labels

# the palette of Okabe and Ito, distinguishable with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#999999"
FIGURE_TITLE_CHARS_PER_INCH = 10.5
FIGURE_LINE_HEIGHT = 0.2  # inches, of a figure's title
INTERVALS = 6  # between the labels of an axis, at most
DPI = 200  # twice what a screen shows at 100 %: sharp on any

mpl.rcParams.update(
    {
        "figure.dpi": DPI,
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
        "axes.titley": 1.0,  # fixed: to measure what is above a plot takes long, and nothing is
        "legend.frameon": False,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.06,
        "text.parse_math": False,  # names of classes and tokens are data: a dollar sign begins no formula
    }
)

Styles = Mapping[str, Mapping[str, Any]]  # name of a line -> keyword arguments of matplotlib's plot


def save(figure: Figure, path: Path, *, pictures: np.ndarray | None = None) -> None:
    """Write a PNG with the 256 colours that suit it best, which make it three to five times smaller.

    `pictures`: uint8 (H, W, 3) of the figure's size, below everything that is drawn.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = figure.get_layout_engine()
    if layout is not None:  # once: savefig would draw the figure a first time only to lay it out, and then again
        layout.execute(figure)
        figure.set_layout_engine(None)
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    pixels = np.asarray(renderer.buffer_rgba())
    if pictures is not None:  # on which the figure is drawn
        pixels[..., :3], pixels[..., 3] = pictures, 255
        figure.patch.set_visible(False)
    figure.draw(renderer)
    _few_colours(pixels[..., :3]).save(path, "PNG", compress_level=7)


def _few_colours(pixels: np.ndarray) -> Image.Image:
    """Grey where all of (H, W, 3) is grey, else the 256 colours that suit it best."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    if (red == green).all() and (green == blue).all():
        return Image.fromarray(np.ascontiguousarray(red))
    drawn = Image.fromarray(np.ascontiguousarray(pixels))
    return drawn.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def panels(
    count: int, *, title: str, width: float = 4.2, height: float = 3.2, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A row of `count` plots, each of this size in inches, under the figure's title."""
    wrapped, room = figure_title(title, width * count)
    figure = Figure(figsize=(width * count, height + room), layout="constrained")
    figure.suptitle(wrapped)
    axes = list(figure.subplots(1, count, sharey=sharey, squeeze=False)[0])
    for axis in axes:
        for one in (axis.xaxis, axis.yaxis):
            one.get_major_locator().set_params(nbins=INTERVALS)
    return figure, axes


def figure_title(title: str, width: float) -> tuple[str, float]:
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
    if not labelled:
        axis.set_minor_locator(NullLocator())  # ticks without labels would take more time than everything else
    axis.set_minor_formatter(FuncFormatter(lambda value, _: _plain(value) if f"{value:e}"[0] in labelled else ""))


def _plain(value: float) -> str:
    """`0.001`, `2000`, and from 100,000 on or below 0.0001 `1e6`, `2.5e-8`."""
    if value == 0 or 1e-4 <= abs(value) < 1e5:
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def signed_colours(values: np.ndarray) -> np.ndarray:
    """White for 0, orange for the largest positive value, blue for as large a negative one; (H, W, 3) in [0, 1]."""
    share = values[..., None] / max(float(np.abs(values).max()), 1e-12)
    orange, blue = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])
    return np.where(share > 0, 1 - share * (1 - orange), 1 + share * (1 - blue))


def show(axis: Axes, picture: np.ndarray, **place: Any) -> None:
    """A picture (H, W, C) in [0, 1] or uint8; one channel is grey. `place`: further options of matplotlib's imshow."""
    picture = picture / 255 if picture.dtype == np.uint8 else picture.clip(0, 1)  # rounding may exceed the range
    shown: Any = picture[..., 0] if picture.shape[-1] == 1 else picture
    axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest", **place)


def frame(axis: Axes, box: Mapping[Any, Any], colour: str, *, label: str = "", **style: Any) -> None:
    """A frame around the pixels of a shown picture from `top` and `left` on, `height` x `width`."""
    corner = (box["left"] - 0.5, box["top"] - 0.5)  # where its first pixel begins
    axis.add_patch(Rectangle(corner, box["width"], box["height"], fill=False, edgecolor=colour, **style))
    if label:
        plate = {"facecolor": colour, "edgecolor": "none", "pad": 0.6}
        axis.text(box["left"], box["top"], label, color="white", fontsize=6, va="top", bbox=plate)


def in_rows(items: Sequence[Any], width: int) -> list[list[Any]]:
    return [list(items[start : start + width]) for start in range(0, len(items), width)]
