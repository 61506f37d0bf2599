"""Renders a report as Markdown (GitHub's dialect), by the templates in templates/.

All text of the elements is escaped: a class called `a|b` or `*` is shown as such.
"""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from cvnlp.report.elements import Cell, Code, Column, Element, Link, Section, Span, Table, Text, formatted
from cvnlp.report.links import check_links

SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~$&]|(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word is no markup
BLOCK_START = re.compile(r"^([-+=]|\d+(?=[.)](\s|$)))")  # of a list or a heading
LINE_END = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"


def render(report: Section, folder: Path) -> str:
    """The whole report; links to files are relative to `folder`. ValueError if a link leads to no section."""
    check_links(report)
    return Writer(folder).render(report) + "\n"


def escape(text: str) -> str:
    """Text within a line, in which no character is markup; white space becomes single spaces."""
    return re.sub(r"\s+", " ", SPECIAL.sub(r"\\\g<0>", text))


def escape_code(text: str) -> str:
    """Verbatim text within a line; line ends are shown as an arrow."""
    text = text.replace("\r\n", "\n").replace("\n", LINE_END)
    ticks = "`" * (_longest_ticks(text) + 1)
    padded = text.startswith("`") or text.endswith("`") or (text.strip(" ") and text[0] == text[-1] == " ")
    return f"{ticks} {text} {ticks}" if padded else f"{ticks}{text}{ticks}" if text else ""


def fence(text: str) -> str:
    """A fence for a block of verbatim text: longer than any run of backticks in it."""
    return "`" * max(3, _longest_ticks(text) + 1)


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


@dataclass(frozen=True)
class Writer:
    """Renders elements; the paths of files become relative to `folder`."""

    folder: Path

    def render(self, element: Element, level: int = 1) -> str:
        """`level` is that of the heading, if the element is a section."""
        template = _environment().get_template(f"{type(element).__name__.lower()}.md.j2")
        return template.render(element=element, level=min(level, 6), writer=self).strip("\n")

    def paragraph(self, text: Text) -> str:
        return BLOCK_START.sub(_escape_start, "".join(map(self.span, text.spans)).strip())

    def span(self, span: Span) -> str:
        if isinstance(span, Code):
            return escape_code(span.text)
        if isinstance(span, Link):
            line = f"#L{span.line}" if span.line else ""
            return f"[{escape(span.text)}]({self.address(span.target)}{line})"
        return escape(span)

    def address(self, target: Path | str) -> str:
        """The relative path of a file, percent-encoded; any other address as it is."""
        if isinstance(target, str):
            return target
        return quote(Path(os.path.relpath(target, self.folder)).as_posix())

    def table_lines(self, table: Table) -> list[str]:
        """Head, rule and rows, padded to columns; numbers to the right."""
        columns = [self._padded(column) for column in table.columns]
        return [f"| {' | '.join(cells)} |" for cells in zip(*columns, strict=True)]

    def _padded(self, column: Column) -> list[str]:
        cells = [escape(column.title), *(self._cell(cell, column) for cell in column.cells)]
        width = max(3, *map(len, cells))
        number = column.format is not None
        head, *rest = (cell.rjust(width) if number else cell.ljust(width) for cell in cells)
        return [head, "-" * (width - 1) + ":" if number else ":" + "-" * (width - 1), *rest]

    def _cell(self, cell: Cell, column: Column) -> str:
        if isinstance(cell, (str, Code, Link)):
            cell = (cell,)
        if isinstance(cell, tuple):  # a bar within verbatim text would end the cell
            shown = [
                self.span(span).replace("|", r"\|") if isinstance(span, Code) else self.span(span) for span in cell
            ]
            return "".join(shown).strip()
        return escape(formatted(cell, column.format or ""))


def _escape_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cvnlp.report"),
        autoescape=False,  # noqa: S701  (the filters below escape for Markdown)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"escape_text": escape, "fence": fence, "formatted": formatted}
    return environment
