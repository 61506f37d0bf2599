"""What the elements of a report hold, for tests: their figures, tables and words, whatever the writer."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from matplotlib.figure import Figure as Drawing
from matplotlib.text import Text as DrawnText

from cvnlp.paths import ProjectPaths
from cvnlp.report.elements import (
    Cell,
    Code,
    ConfusionMatrix,
    Element,
    Figure,
    Link,
    Numbers,
    Pictures,
    SampleText,
    Section,
    Stepper,
    Table,
    Text,
    TokenText,
    formatted,
)
from cvnlp.report.results import Results, RunResults


def results(root: Path, *runs: RunResults) -> Results:
    """Results of these runs, without drawings; their blocks are in line 7 of params.yaml."""
    return Results(runs, {}, ProjectPaths(root), {one.name: 7 for one in runs})


def walk(elements: Iterable[Element]) -> Iterator[Element]:
    """All elements, also those within sections and steps."""
    for element in elements:
        yield element
        if isinstance(element, Section):
            yield from walk(element.elements)
        elif isinstance(element, Stepper):
            for step in element.steps.values():
                yield from walk(step)


def figures(elements: Iterable[Element]) -> list[Figure]:
    """Those that are drawn into files, also of interactive elements."""
    found = [one.figure if isinstance(one, (Pictures, ConfusionMatrix)) else one for one in walk(elements)]
    return [figure for figure in found if isinstance(figure, Figure)]


def token_texts(elements: Iterable[Element]) -> dict[str, TokenText]:
    """Title -> text."""
    return {element.title: element for element in walk(elements) if isinstance(element, TokenText)}


def figure_names(elements: Iterable[Element]) -> list[str]:
    """The names of the files of all figures."""
    return [image.path.name for figure in figures(elements) for image in figure.images]


def figure_paths(elements: Iterable[Element]) -> list[Path]:
    return [image.path for figure in figures(elements) for image in figure.images]


def tables(elements: Iterable[Element]) -> dict[str, Table]:
    """Title -> table."""
    return {element.title: element for element in walk(elements) if isinstance(element, Table)}


def columns(table: Table) -> dict[str, list[str]]:
    """Title of each column -> its cells as a reader sees them."""
    return {column.title: [shown(cell, column.format or "") for cell in column.cells] for column in table.columns}


def rows(table: Table) -> dict[str, dict[str, str]]:
    """First cell of each row -> title of the column -> cell."""
    cells = columns(table)
    return {
        first: {title: cells[title][row] for title in cells} for row, first in enumerate(next(iter(cells.values())))
    }


def shown(cell: Cell, spec: str) -> str:
    if isinstance(cell, tuple):
        return "".join(shown(span, spec) for span in cell)
    return cell.text if isinstance(cell, (Code, Link)) else formatted(cell, spec)


def numbers(elements: Iterable[Element]) -> dict[str, str]:
    """Name -> value and unit of all named numbers."""
    return {
        number.name: f"{formatted(number.value, number.format)} {number.unit}".strip()
        for element in walk(elements)
        if isinstance(element, Numbers)
        for number in element.values
    }


def texts(elements: Iterable[Element]) -> list[str]:
    return [shown(element.spans, "") for element in walk(elements) if isinstance(element, Text)]


def samples(elements: Iterable[Element]) -> list[SampleText]:
    return [element for element in walk(elements) if isinstance(element, SampleText)]


def words(elements: Iterable[Element]) -> str:
    """Everything that a reader sees, but for the figures' pictures."""
    return "\n".join([*(word for element in walk(elements) for word in _words(element)), *texts(elements)])


def _words(element: Element) -> list[str]:
    match element:
        case Section():
            return [element.title]
        case Stepper() | TokenText():
            return [element.title, element.caption]
        case Pictures() | ConfusionMatrix():
            return _words(element.figure) if element.figure else [element.title]
        case Figure():
            return [element.title, element.caption, *(image.alternative for image in element.images)]
        case Table():
            cells = [cell for title, column in columns(element).items() for cell in (title, *column)]
            return [element.title, element.caption, *cells]
        case SampleText():
            return [element.heading, element.text, *(f"{name} {value}" for name, value in element.details)]
        case Numbers():
            return [element.title, *(f"{name}: {value}" for name, value in numbers([element]).items())]
    return []


def is_cut_off(drawing: Drawing) -> bool:
    """Whether something of a matplotlib figure lies outside of it, by more than a pixel."""
    drawing.draw_without_rendering()
    inner, pixel = drawing.get_tightbbox(), 1 / drawing.dpi
    width, height = drawing.get_size_inches()
    return inner.x0 < -pixel or inner.y0 < -pixel or inner.x1 > width + pixel or inner.y1 > height + pixel


def texts_of(drawing: Drawing) -> list[DrawnText]:
    """The texts of a matplotlib figure outside its plots, but for its title."""
    return [text for text in drawing.texts if text.get_text() != drawing.get_suptitle() or text.get_fontsize() < 11]


def title(drawing: Drawing) -> str:
    """The title of a matplotlib figure, on one line."""
    return drawing.get_suptitle().replace("\n", " ")
