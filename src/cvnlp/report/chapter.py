"""A chapter of the course: sentences about this project's own runs, one or two figures, and where to read on."""

from collections.abc import Sequence
from dataclasses import dataclass

from cvnlp.report.elements import Code, Element, Link, Section, Span, Text
from cvnlp.report.results import Results, RunResults


@dataclass(frozen=True)
class Paper:
    """A publication, with the address of its page."""

    title: str
    address: str


@dataclass(frozen=True)
class Sources:
    """Where a chapter comes from. `code`: modules, relative to src/cvnlp of the project; `run`: what it is about."""

    code: Sequence[str]
    run: RunResults | None
    papers: Sequence[Paper] = ()


def chapter(
    title: str, id: str, sentences: Sequence[str], elements: Sequence[Element], sources: Sources, results: Results
) -> Section:
    """`id` becomes chapter-`id`. Without sentences, the text is that no run shows this."""
    text = " ".join(sentences) or "No run of params.yaml shows this."
    return Section(title, (Text(text), *elements, _read_on(sources, results)), id=f"chapter-{id}")


def _read_on(sources: Sources, results: Results) -> Text:
    spans: list[Span] = [
        "Read on. Code: ",
        *_separated([Link(path, results.paths.root / "src/cvnlp" / path) for path in sources.code]),
    ]
    if sources.run:
        name = sources.run.name
        line = results.lines.get(name)
        spans += [". Params: ", Link(f"runs.{name}", results.paths.params, line=line)]
        spans += [". All results: ", Link(name, f"#run-{name}"), ". MLflow: the run ", Code(name), " (make ui)"]
    if sources.papers:
        spans += [". Papers: ", *_separated([Link(paper.title, paper.address) for paper in sources.papers])]
    return Text(*spans, ".")


def _separated(spans: list[Span]) -> list[Span]:
    return [part for span in spans for part in (", ", span)][1:]
