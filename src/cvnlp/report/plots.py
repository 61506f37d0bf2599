"""How every figure looks, and the two that both halves draw. The same numbers give the same bytes."""

import itertools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette: told apart with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LETTERS = 14  # of a picture's title that stand beside each other on an inch
LINE = 0.14  # inches that a line of such a title is high
METHODS = {
    "random": ("random", "#999999"),
    "fgsm": ("FGSM", "#E69F00"),
    "pgd": ("PGD", "#D55E00"),
    "swap": ("neighbours swapped", "#0072B2"),
    "typo": ("misspelled", "#009E73"),
    "hotflip": ("HotFlip", "#D55E00"),
}

mpl.rcParams.update(
    {
        "figure.dpi": 110,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#E6E6E6",
        "axes.axisbelow": True,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "legend.frameon": False,
    }
)


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def panels(count: int, *, width: float = 4.2, height: float = 3.2, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """A row of `count` plots."""
    figure, axes = plt.subplots(
        1, count, figsize=(width * count, height), sharey=sharey, squeeze=False, layout="constrained"
    )
    return figure, list(axes[0])


def stack(count: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A column of `count` plots, each of this size."""
    figure, axes = plt.subplots(count, 1, figsize=(width, height * count), squeeze=False, layout="constrained")
    return figure, list(axes[:, 0])


@dataclass(frozen=True)
class Learning:
    """Which metric of the histories shows how a half's runs learned."""

    metric: str
    label: str
    caption: str


@dataclass(frozen=True)
class Robustness:
    """Which metric of the attacks' tables falls or rises with which strength; `<metric>_clean` is it at 0."""

    strength: str
    metric: str
    strength_label: str
    metric_label: str
    caption: str


Styles = Mapping[str, Mapping[str, Any]]  # of a line's name: how matplotlib is told to draw it


def line_styles(names: Iterable[str]) -> Styles:
    """A colour and a kind of line for each name: the colours solid, then dashed, then dotted, then all again."""
    styles = itertools.cycle(itertools.product(("-", "--", ":"), COLOURS))
    return {name: {"linestyle": line, "color": colour} for name, (line, colour) in zip(names, styles, strict=False)}


def draw_learning(
    shown: Learning, histories: Mapping[str, pd.DataFrame], groups: Mapping[str, str], path: Path
) -> bool:
    """The metric against the epoch, a line per run and a plot per data set; False if no run has an epoch."""
    trained = {run: table for run, table in histories.items() if len(table)}
    names = list(dict.fromkeys(groups[run] for run in trained))
    if not names:
        return False
    figure, axes = panels(len(names))
    styles = line_styles(groups)
    for axis, name in zip(axes, names, strict=True):
        for run in (run for run in trained if groups[run] == name):
            table = trained[run]
            axis.plot(table["epoch"] + 1, table[shown.metric], **styles[run], marker="o", markersize=3, label=run)
        axis.set(title=name, xlabel="epoch", ylabel=shown.label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend()
    save(figure, path)
    return True


def draw_robustness(
    shown: Robustness, tables: Mapping[str, pd.DataFrame], scores: Mapping[str, dict[str, float]], path: Path
) -> None:
    """The metric against the strength of each attack, a plot per run."""
    figure, axes = panels(len(tables), width=3.4, sharey=shown.metric == "accuracy")
    for axis, (run, table) in zip(axes, tables.items(), strict=True):
        for method, rows in table.groupby("method", sort=False):
            name, colour = METHODS.get(str(method), (str(method), COLOURS[-1]))
            places, values = [0.0, *rows[shown.strength]], [scores[run][f"{shown.metric}_clean"], *rows[shown.metric]]
            axis.plot(places, values, color=colour, marker="o", markersize=4, label=name)
        axis.set(title=run, xlabel=shown.strength_label)
    axes[0].set_ylabel(shown.metric_label)
    max(axes, key=lambda axis: len(axis.lines)).legend()  # not every attack is made on every network
    save(figure, path)


def draw_pictures(
    rows: Sequence[Sequence[np.ndarray]], titles: Sequence[Sequence[str]], path: Path, *, size: float = 1.25
) -> None:
    """A grid of pictures (H, W, C) in [0, 1] or uint8, each with its title above."""
    wrapped = [[textwrap.fill(name, round(LETTERS * size)) for name in names] for names in titles]
    room = 0.1 + LINE * max(name.count("\n") + 1 for name in itertools.chain(*wrapped))
    height = (size + room) * len(rows)
    # places that are worked out here: matplotlib's own layouts measure every title and take several times as long
    places = {"left": 0, "right": 1, "bottom": 0.05 / height, "top": 1 - room / height, "hspace": room / size}
    figure, axes = plt.subplots(
        len(rows), len(rows[0]), figsize=(size * len(rows[0]), height), squeeze=False, gridspec_kw=places
    )
    for line, names, pictures in zip(axes, wrapped, rows, strict=True):
        for axis in line:
            axis.axis("off")
        for axis, name, picture in zip(line, names, pictures, strict=False):
            show(axis, picture)
            axis.set_title(name, fontsize=8, fontweight="normal", pad=3)
    save(figure, path)


def draw_mosaic(rows: Sequence[np.ndarray], names: Sequence[str], path: Path, *, size: float = 0.7) -> None:
    """Rows of uint8 pictures (N, H, W, C) of one size, each row with its name, as a single image: fast for many."""
    height, width, channels = rows[0].shape[1:]
    gap = max(1, height // 16)
    columns = max(map(len, rows))
    canvas = np.full((len(rows) * (height + gap), columns * (width + gap), channels), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = row * (height + gap), column * (width + gap)
            canvas[top : top + height, left : left + width] = picture
    figure, (axis,) = panels(1, width=size * columns * width / height + 1, height=size * len(rows))
    show(axis, canvas)
    axis.set_yticks([row * (height + gap) + height / 2 for row in range(len(rows))], names)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    save(figure, path)


def show(axis: Axes, picture: np.ndarray) -> None:
    picture = picture / 255 if picture.dtype == np.uint8 else picture
    shown: Any = picture[..., 0] if picture.shape[-1] == 1 else picture
    axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def frame(axis: Axes, box: Mapping[Any, Any], colour: str, *, label: str = "", **style: Any) -> None:
    """Around the pixels from `top` and `left` on, `height` x `width`, of a picture that `show` has shown."""
    corner = (box["left"] - 0.5, box["top"] - 0.5)  # where its first pixel begins
    axis.add_patch(Rectangle(corner, box["width"], box["height"], fill=False, edgecolor=colour, **style))
    if label:
        plate = {"facecolor": colour, "edgecolor": "none", "pad": 0.6}
        axis.text(box["left"], box["top"], label, color="white", fontsize=6, va="top", bbox=plate)


def in_rows(items: Sequence[Any], width: int) -> list[list[Any]]:
    return [list(items[start : start + width]) for start in range(0, math.ceil(len(items) / width) * width, width)]
