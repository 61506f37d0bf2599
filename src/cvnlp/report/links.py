"""The sections of a report, and the links between them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from cvnlp.report.elements import Cell, Code, Column, Element, Link, Section, Span, Table, Text


def check_links(report: Section) -> None:
    """Ids are unique, and every link within the report leads to one."""
    ids = Counter(section.id for section in sections(report) if section.id)
    if repeated := [name for name, count in ids.items() if count > 1]:
        raise ValueError(f"sections of the report share an id: {', '.join(repeated)}")
    for link in _links(report):
        if isinstance(link.target, str) and link.target.startswith("#") and link.target[1:] not in ids:
            raise ValueError(
                f"the link {link.text!r} leads to {link.target}, which no section of the report has as its id"
            )


def unlinked(section: Section) -> Section:
    """The section with the text of links to sections in place of the links, for a report that lacks these."""
    return replace(section, elements=tuple(map(_unlinked, section.elements)))


def _unlinked(element: Element) -> Element:
    if isinstance(element, Section):
        return unlinked(element)
    if isinstance(element, Text):
        return Text(*map(_plain, element.spans))
    if isinstance(element, Table):
        columns = (Column(one.title, map(_plain_cell, one.cells), one.format) for one in element.columns)
        return replace(element, columns=tuple(columns))
    return element


def _plain_cell(cell: Cell) -> Cell:
    if isinstance(cell, tuple):
        return tuple(map(_plain, cell))
    return _plain(cell) if isinstance(cell, (str, Code, Link)) else cell


def _plain(span: Span) -> Span:
    inside = isinstance(span, Link) and isinstance(span.target, str) and span.target.startswith("#")
    return span.text if isinstance(span, Link) and inside else span


def sections(section: Section) -> Iterator[Section]:
    yield section
    for element in section.elements:
        if isinstance(element, Section):
            yield from sections(element)


def _links(report: Section) -> Iterator[Link]:
    for element in (element for section in sections(report) for element in section.elements):
        spans: list[Cell] = []
        if isinstance(element, Text):
            spans = list(element.spans)
        elif isinstance(element, Table):
            spans = [cell for column in element.columns for cell in column.cells]
        for span in spans:
            yield from (one for one in (span if isinstance(span, tuple) else (span,)) if isinstance(one, Link))
