"""The elements of a report: sections, texts, tables, figures, sample texts and numbers, as typed data.

The sections of both halves return these; a writer such as `markdown` renders them. No string holds markup, every number
is kept as a number with its format, and every file is a path that the writer makes relative to its own output.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Spread:
    """A number over seeds: mean, sample standard deviation (n - 1; None of a single run) and number of runs."""

    mean: float
    std: float | None
    count: int

    def __format__(self, spec: str) -> str:
        """`94.35 ± 0.08 (3)`: mean, standard deviation, number of runs; of a single run its number alone.

        An empty `spec` gives four decimals below 10 and one above.
        """
        spec = spec or (",.4f" if abs(self.mean) < 10 else ",.1f")
        if self.std is None:
            return f"{self.mean:{spec}}"
        return f"{self.mean:{spec}} ± {self.std:{spec}} ({self.count})"

    def scaled(self, factor: float) -> "Spread":
        return Spread(self.mean * factor, None if self.std is None else self.std * factor, self.count)


@dataclass(frozen=True)
class Code:
    """Text shown verbatim in a fixed-width font, such as a token or the name of a file."""

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

    Cells are text, numbers, or None where there is no value; NaN counts as no value.
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
        if len({len(column.cells) for column in self.columns}) > 1:
            lengths = {column.title: len(column.cells) for column in self.columns}
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
    """A named value with its unit: a number, several (such as one per channel), or a word.

    `format` is the format specification of its numbers.
    """

    name: str
    value: Value | tuple[float, ...]
    unit: str = ""
    format: str = ""


@dataclass(frozen=True)
class Numbers:
    """A list of named values."""

    title: str
    values: tuple[Number, ...]


@dataclass(frozen=True)
class Section:
    """A heading and the elements below it, which may be sections; `id` is the target of links, or empty."""

    title: str
    elements: tuple["Element", ...]
    id: str = ""


Element = Section | Text | Table | Figure | SampleText | Numbers


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
