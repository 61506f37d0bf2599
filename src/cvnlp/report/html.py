"""Renders a report as one HTML file that needs no other: pictures, style and script are part of it.

All text of the elements is escaped by the templates in templates/. Figures are embedded as they are; pictures of few
pixels are embedded at their own resolution and enlarged by the browser.
"""

import base64
import io
import os
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image as PillowImage

from cvnlp.report.elements import (
    Cell,
    Code,
    Column,
    ConfusionMatrix,
    Element,
    Figure,
    Image,
    Link,
    Picture,
    Pictures,
    Section,
    Span,
    Stepper,
    TokenText,
    formatted,
)
from cvnlp.report.links import check_links
from cvnlp.report.spread import Spread

PIXELS_PER_CSS_PIXEL = 2  # of the figures
PICTURE_WIDTH, STRIP_HEIGHT = 84, 42  # CSS pixels, of a picture of a gallery, and of a row of many
LARGE = (Figure, Pictures, ConfusionMatrix, TokenText, Stepper)
SHADES = 10  # of the background of tokens


def render(report: Section, folder: Path, *, title: str) -> str:
    """The whole page; links to files are relative to `folder`. ValueError if a link leads to no section."""
    check_links(report)
    writer = Writer(folder)
    body = Markup("\n").join(writer.render(element, 2) for element in report.elements)
    page = _environment().get_template("page.html.j2")
    return page.render(title=title, report=report, body=body, style=_asset("report.css"), script=_asset("report.js"))


@dataclass(frozen=True)
class Writer:
    """Renders elements; the paths of files become relative to `folder`."""

    folder: Path
    _numbers: "count[int]" = field(default_factory=count)
    _shown: dict[Element, int] = field(default_factory=dict)

    def render(self, element: Element, level: int) -> Markup:
        """`level` is that of the heading, if the element is a section. Large elements are shown once, then linked."""
        number, name = next(self._numbers), type(element).__name__.lower()
        if isinstance(element, LARGE):
            name = "again" if element in self._shown else name
            number = self._shown.setdefault(element, number)
        template = _environment().get_template(f"{name}.html.j2")
        return Markup(template.render(element=element, level=min(level, 6), writer=self, number=number))  # noqa: S704

    def span(self, span: Span) -> Markup:
        if isinstance(span, Code):
            return Markup("<code>{}</code>").format(span.text)
        if isinstance(span, Link):
            line = f"#L{span.line}" if span.line else ""
            return Markup('<a href="{}">{}</a>').format(self.address(span.target) + line, span.text)
        return Markup("{}").format(span)

    def address(self, target: Path | str) -> str:
        """The relative path of a file, percent-encoded; any other address as it is."""
        if isinstance(target, str):
            return target
        return quote(Path(os.path.relpath(target, self.folder)).as_posix())

    def cell(self, cell: Cell, column: Column) -> Markup:
        if isinstance(cell, (str, Code, Link)):
            cell = (cell,)
        if isinstance(cell, tuple):
            return Markup("").join(map(self.span, cell))
        return Markup("{}").format(formatted(cell, column.format or ""))

    @staticmethod
    def sort_key(cell: Cell) -> str:
        """The number by which a cell is sorted; empty for text and where there is no value."""
        number = cell.mean if isinstance(cell, Spread) else cell
        return f"{number!r}" if isinstance(number, (int, float)) and number == number else ""

    @staticmethod
    def image(image: Image) -> Markup:
        """The file, embedded, with its size in CSS pixels."""
        content = image.path.read_bytes()
        with PillowImage.open(io.BytesIO(content)) as opened:
            width, height = (round(side / PIXELS_PER_CSS_PIXEL) for side in opened.size)
        tag = Markup('<img src="{}" alt="{}" width="{}" height="{}">')
        return tag.format(_data_uri(content), image.alternative, width, height)

    @staticmethod
    def picture(picture: Picture, *, alternative: str, strip: bool = False) -> Markup:
        """An image with sharp pixels, of one width; of a `strip`, of one height."""
        height, width = picture.pixels.shape[:2]
        scale = STRIP_HEIGHT / height if strip else PICTURE_WIDTH / width
        tag = Markup('<img class="pixels" src="{}" alt="{}" width="{}" height="{}">')
        return tag.format(_data_uri(_png(picture.pixels)), alternative, round(width * scale), round(height * scale))

    @staticmethod
    def shade(values: tuple[float, ...], low: float, high: float) -> list[int]:
        """A number from 0 to SHADES - 1 for each value."""
        scaled = (np.array(values, float) - low) / max(high - low, 1e-12)
        return [int(one) for one in (scaled * SHADES).clip(0, SHADES - 1)]

    @staticmethod
    def token_data(element: TokenText) -> dict[str, object]:
        """What the script of the page needs of a text."""
        quantities = [vars(one) | {"values": [_short(value) for value in one.values]} for one in element.quantities]
        return {"quantities": quantities, "shades": SHADES}


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _png(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, C), uint8, as a PNG file."""
    written = io.BytesIO()
    PillowImage.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(written, "PNG", optimize=True)
    return written.getvalue()


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _asset(name: str) -> Markup:
    """A file of page/, which the page contains."""
    return Markup((Path(__file__).parent / "page" / name).read_text(encoding="utf-8"))  # noqa: S704  (part of the code)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cvnlp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"formatted": formatted}
    environment.globals["zip"] = zip
    return environment
