"""The model card of a run: data, licence, scores, robustness, limits and origin, from its files alone."""

from collections.abc import Iterator, Mapping
from functools import singledispatch
from pathlib import Path
from typing import Any

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts, VisionFacts
from cvnlp.params import Params
from cvnlp.params.network_config import parse_config
from cvnlp.paths import RunPaths
from cvnlp.report import markdown
from cvnlp.report.elements import Cell, Code, Column, Element, Number, Numbers, Section, Table, Text
from cvnlp.tracking import training_record
from cvnlp.tracking.robustness_card import robustness
from cvnlp.tracking.signature import interface

SHOWN_CLASSES = 20


def model_card(settings: Params, run: RunPaths, digest: str) -> str:
    """The card of the model of a run as Markdown; stages that have not run yet leave their section out."""
    block = settings.runs[run.name]
    facts = prepared.read_facts(run.prepared)
    elements = [
        Text(f"{block.model.name}, trained by cvnlp for the run ", Code(run.name), "."),
        Section("Use", tuple(use(run))),
        Section("Data", tuple(data(facts, run.dataset))),
        *scores(block.domain, run),
        *robustness(block.attack, run),
        Section("Limits", (Text(limits(facts)),)),
        Section("Origin", (origin(run, digest),)),
    ]
    return markdown.render(Section(run.name, tuple(elements)), Path())


def data(facts: VisionFacts | LanguageFacts, name: str) -> Iterator[Element]:
    """Source, licence, citation and sizes of the data set."""
    yield Text("Data set ", Code(name), ", source: ", Code(facts.source), f". {facts.citation}".rstrip())
    yield Text(f"Licence of the data: {facts.licence or 'not stated'}")
    unit = domains.DOMAINS[facts.domain].metrics.EXAMPLES
    yield Numbers(
        "Sizes", tuple(Number(split, size, unit=unit, format=",d") for split, size in facts.sizes.items() if size)
    )


def scores(half: str, run: RunPaths) -> Iterator[Element]:
    """The scores on the test split."""
    if not run.scores.is_file():
        return
    metrics = domains.DOMAINS[half].metrics
    found = files.read_scores(run.scores)
    rows = [(metrics.HEADLINE[name][0], found[name]) for name in metrics.METRICS if name in found]
    yield Section("Scores on the test split", (_table("Scores", ("score", "value"), rows),))


def _table(title: str, head: tuple[str, str], rows: list[tuple[str, Any]]) -> Table:
    names: list[Cell] = [name for name, _ in rows]
    return Table(title, (Column(head[0], names), Column(head[1], [value for _, value in rows], ",.4g")))


def origin(run: RunPaths, digest: str) -> Numbers:
    """Digest, commit and size of the training, as far as they are recorded."""
    record = training_record.read(run, digest)
    tags: Mapping[str, str] = record.tags if record else {}
    found: dict[str, Any] = {"SHA-256 of the model": digest, "commit": tags.get("git.commit")}
    if run.training.is_file():
        training = files.read_scores(run.training)
        found |= {name: training[name] for name in ("parameters", "epochs", "examples") if name in training}
    changed = "; code or settings differ from it" if tags.get("git.dirty") == "True" else ""
    values = {name: f"{value}{changed}" if name == "commit" else value for name, value in found.items() if value}
    return Numbers("Training", tuple(Number(name, value, format=",d") for name, value in values.items()))


@singledispatch
def limits(facts: Any) -> str:
    """What the model cannot do, in sentences."""
    raise TypeError(f"{type(facts).__name__} are no facts of a data set")


@limits.register
def _(facts: VisionFacts) -> str:
    other = (
        "A picture of nothing of this kind is to be classified as background."
        if facts.background is not None
        else "Every picture gets one of these classes, also one that shows something else."
    )
    return (
        f"The model has {len(facts.classes)} classes, and was trained on the pictures of one data set. {other} "
        "The scores hold for pictures from the same source. Others may be classified much worse."
    )


@limits.register
def _(facts: LanguageFacts) -> str:
    return (
        f"The model continues text like its training text, in a vocabulary of {facts.vocabulary_size:,} "
        f"{facts.token_kind}. Statements in generated text are not reliable. Text of another kind has a much higher "
        "perplexity."
    )


def use(run: RunPaths) -> Iterator[Element]:
    """Columns of input and output, and params."""
    path = run.model / "config.json"
    found = interface(parse_config(path, files.read_json(path)))
    yield Text("Input: the column ", Code(found.column), f" of {found.values}.")
    names = list(found.outputs)
    more = f" and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
    yield Text("Output: the columns ", *_codes(names[:SHOWN_CLASSES]), f"{more}.")
    if found.params:
        values = tuple(Number(name, value) for name, value in found.params.items())
        yield Numbers("Params with their defaults", values)


def _codes(names: list[str]) -> Iterator[str | Code]:
    for position, name in enumerate(names):
        yield ", " if position else ""
        yield Code(name)
