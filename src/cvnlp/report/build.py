"""The report of all runs: summary, the chapters of the course, and every result. Imports no torch or MLflow."""

from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml import YAML

from cvnlp import domains, files
from cvnlp.params import Params
from cvnlp.paths import ProjectPaths
from cvnlp.report import html, markdown, results
from cvnlp.report.changes import changes
from cvnlp.report.details import Lines, Progress, build_details
from cvnlp.report.elements import Element, Section, Text
from cvnlp.report.links import unlinked
from cvnlp.report.results import Results, RunResults
from cvnlp.report.summary import summary

INTRO = "Every score is measured on the test split, data never used for training. The runs are those of params.yaml."
PAGE = (
    "reports/report.html, which the same stage writes, has the chapters of the course with figures of these runs, and "
    "every result in full. What has changed since the last commit is in reports/changes.md."
)
HIGHLIGHTS = ("worst_cases.png", "learning.png")  # figures of all runs of a half, shown in report.md


@dataclass(frozen=True)
class Report:
    """`chapters`: a section for each half that has runs; `highlights`: a few figures for the short form."""

    summary: Section
    chapters: tuple[Section, ...]
    details: tuple[Section, ...]
    highlights: tuple[Element, ...]

    @property
    def whole(self) -> Section:
        return Section("Report", (Text(INTRO), self.summary, *self.chapters, *self.details))

    @property
    def short(self) -> Section:
        return Section("Report", (Text(INTRO), Text(PAGE), unlinked(self.summary), *self.highlights))


def write_report(settings: Params, paths: ProjectPaths, *, progress: Progress | None = None) -> None:
    """Draw every figure, and write the page with everything and the short report, which links to figures."""
    report = build_report(settings, paths, progress=progress)
    files.write_text(paths.report_page, html.render(report.whole, paths.report_page.parent, title="Report"))
    files.write_text(paths.report, markdown.render(report.short, paths.report.parent))


def write_changes(settings: Params, paths: ProjectPaths) -> None:
    """Write what differs from the last commit. It is no output of a stage, for it depends on the commit."""
    lines = _block_lines(paths)
    halves = {half: _results(half, settings, paths, {}, lines) for half in domains.HALVES}
    found = changes(halves) or [Text("There are no committed scores to compare with.")]
    section = Section("Changes since the last commit", tuple(found))
    files.write_text(paths.changes, markdown.render(section, paths.changes.parent))


def build_report(settings: Params, paths: ProjectPaths, *, progress: Progress | None = None) -> Report:
    """All parts; the figures are drawn into files."""
    lines = _block_lines(paths)
    details = build_details(settings, paths, lines, progress=progress)
    drawn = results.drawn(Section("", details))
    halves = {half: _results(half, settings, paths, drawn, lines) for half in domains.HALVES}
    halves = {half: found for half, found in halves.items() if found.runs}
    chapters = tuple(_chapters(half, found) for half, found in halves.items())
    return Report(summary(halves), chapters, details, tuple(_highlights(halves)))


def _results(half: str, settings: Params, paths: ProjectPaths, drawn: results.Drawings, lines: Lines) -> Results:
    runs = ((name, run) for name, run in settings.runs.items() if run.domain == half)
    found = tuple(RunResults(name, run, paths.run(name, run.dataset)) for name, run in runs)
    return Results(found, drawn, paths, lines["runs"])


def _chapters(half: str, found: Results) -> Section:
    room = domains.DOMAINS[half].report
    return Section(f"{room.TITLE}, chapter by chapter", tuple(room.chapters(found)), id=f"chapters-{half}")


def _highlights(halves: dict[str, Results]) -> Iterator[Element]:
    for half, found in halves.items():
        yield from found.overall(f"all-{half}", *HIGHLIGHTS)


def _block_lines(paths: ProjectPaths) -> Lines:
    """The line of params.yaml (from 1) where each block of a data set or a run begins."""
    tables = YAML().load(paths.params)
    return {
        name: {block: int(tables[name].lc.key(block)[0]) + 1 for block in tables[name]}
        for name in ("datasets", "own", "runs")
        if tables.get(name)
    }
