"""The elements of a report: sections, texts, tables, figures, sample texts and numbers, as typed data.

The sections of both halves return these; the writers `markdown` and `html` render them. No string holds markup, every
number is kept as a number with its format, and every file is a path that the writer embeds or makes relative to its own
output. Pictures, confusion matrices, token texts and steppers are interactive in HTML; Markdown shows their
figure, if they have one.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.report.spread import Spread

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Code:
    """Text shown verbatim, such as a token or a file name."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link to a file, if wanted to a `line` of it (from 1), or to a section of the same report, by `#` and its id."""

    text: str
    target: Path | str
    line: int | None = None


Span = str | Code | Link
Value = str | int | float | Spread | None
Cell = Value | Code | Link | tuple[Span, ...]


@dataclass(frozen=True, init=False)
class Text:
    """A paragraph: plain sentences, links and verbatim text."""

    spans: tuple[Span, ...]

    def __init__(self, *spans: Span) -> None:
        object.__setattr__(self, "spans", spans)


@dataclass(frozen=True, init=False)
class Column:
    """A column of a table. `format` is that of its numbers (format specification); None marks a column of text.

    None and NaN are cells without a value.
    """

    title: str
    cells: tuple[Cell, ...]
    format: str | None

    def __init__(self, title: str, cells: Iterable[Cell], format: str | None = None) -> None:
        for name, value in {"title": title, "cells": tuple(cells), "format": format}.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Table:
    """Columns of equal length, and a caption that says what they show."""

    title: str
    columns: tuple[Column, ...]
    caption: str = ""

    def __post_init__(self) -> None:
        lengths = {column.title: len(column.cells) for column in self.columns}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"table {self.title!r} has columns of different lengths: {lengths}")

    @property
    def rows(self) -> list[tuple[Cell, ...]]:
        return list(zip(*(column.cells for column in self.columns), strict=True))


@dataclass(frozen=True)
class Image:
    """A picture file and its alternative text, which describes it to those who cannot see it."""

    path: Path
    alternative: str

    def __post_init__(self) -> None:
        if not self.alternative:
            raise ValueError(f"figure {self.path} has no alternative text")


@dataclass(frozen=True)
class Figure:
    """One picture, or several next to each other, with a title and a caption that says what to see."""

    title: str
    caption: str
    images: tuple[Image, ...]

    def __post_init__(self) -> None:
        if not (self.title and self.caption and self.images):
            raise ValueError(f"figure {self.title!r} needs a title, a caption and at least one image")


@dataclass(frozen=True)
class SampleText:
    """A text of a data set or of a model, shown verbatim; `details` are named values such as the temperature."""

    heading: str
    text: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Number:
    """A named value with its unit: a number, several (such as one per channel), or a word. `format`: of numbers."""

    name: str
    value: Value | tuple[float, ...]
    unit: str = ""
    format: str = ""


@dataclass(frozen=True)
class Numbers:
    """A list of named values."""

    title: str
    values: tuple[Number, ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, (H, W, C) uint8 with one or three channels, and its title, which may be empty."""

    pixels: "np.ndarray"
    title: str


@dataclass(frozen=True, eq=False)
class Pictures:
    """Rows of pictures, each row with a title, which may be empty; `path` is a drawing of the same, if there is one."""

    title: str
    caption: str
    alternative: str
    rows: tuple[tuple[str, tuple[Picture, ...]], ...]
    path: Path | None = None

    @property
    def figure(self) -> Figure | None:
        return single_figure(self.title, self.caption, self.path, self.alternative) if self.path else None


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Counts (true class, predicted class), and pictures of some cells; `figure` is a drawing of the counts."""

    figure: Figure
    classes: tuple[str, ...]
    counts: "np.ndarray"
    pictures: Mapping[tuple[int, int], tuple[Picture, ...]]


@dataclass(frozen=True)
class TokenValues:
    """A number for each token of a text; colours range from `low` to `high`."""

    name: str
    values: tuple[float, ...]
    low: float
    high: float


@dataclass(frozen=True)
class TokenText:
    """A text of tokens, coloured by one of several numbers of each.

    `separator` is shown between two tokens, and `line_end` is the token that ends a line.
    """

    title: str
    caption: str
    tokens: tuple[str, ...]
    quantities: tuple[TokenValues, ...]
    separator: str
    line_end: str


@dataclass(frozen=True, eq=False)
class Stepper:
    """Elements of which one step is shown at a time, chosen by a slider named `label`: name of the step -> elements.

    `path`, of no file: chapters find it by this path, as they find a figure by that of its drawing.
    """

    title: str
    caption: str
    label: str
    steps: Mapping[str, tuple["Element", ...]]
    path: Path | None = None


@dataclass(frozen=True)
class Section:
    """A heading and the elements below it, which may be sections; `id` is the target of links, or empty.

    A `folded` section is closed at first, where the writer can open it.
    """

    title: str
    elements: tuple["Element", ...]
    id: str = ""
    folded: bool = False


Interactive = Pictures | ConfusionMatrix | TokenText | Stepper
Element = Section | Text | Table | Figure | SampleText | Numbers | Interactive


def single_figure(title: str, caption: str, path: Path, alternative: str) -> Figure:
    """A figure of one picture."""
    return Figure(title, caption, (Image(path, alternative),))


def columns_of(frame: "pd.DataFrame", shown: Mapping[str, tuple[str, str | None]]) -> tuple[Column, ...]:
    """The columns of `frame` that `shown` lists, in its order: name -> title and format of the numbers."""
    return tuple(Column(title, frame[name].tolist(), spec) for name, (title, spec) in shown.items())


def formatted(value: Value | tuple[float, ...], spec: str) -> str:
    """A value as text: numbers by `spec`, words as they are, nothing for None and NaN."""
    if isinstance(value, tuple):
        return ", ".join(format(one, spec) for one in value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value if isinstance(value, str) else format(value, spec)
