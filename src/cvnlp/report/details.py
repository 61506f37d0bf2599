"""All results in full: a section for each data set and run, and the comparisons of a half, drawn in parallel."""

import contextlib
import multiprocessing
import operator
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from cvnlp import domains, files, provenance
from cvnlp.data import prepared
from cvnlp.data.prepared import SPLITS
from cvnlp.params import Params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import aggregate, comparison, gates, learning, seed_scores, tuning
from cvnlp.report.elements import Cell, Code, Column, Element, Link, Number, Numbers, Section, Span, Table, Text

DIVERGED = "The training of this run has diverged: its loss is far above that of guessing. Lower lr, or set clip."

Lines = dict[str, dict[str, int]]  # table of params.yaml -> block -> its line


@dataclass(frozen=True)
class Progress:
    """What others may wait for: `started`, the processes that draw exist; `drawn`, all figures are files."""

    started: threading.Event = field(default_factory=threading.Event)
    drawn: threading.Event = field(default_factory=threading.Event)


def build_details(
    settings: Params, paths: ProjectPaths, lines: Lines, *, progress: Progress | None = None
) -> tuple[Section, ...]:
    """The data sets, then each half with its comparisons and runs; the figures are drawn into files."""
    progress = progress or Progress()
    parts: dict[str, list[Callable[[], Section]]] = {
        "data": [partial(_data_set, name, settings, paths, lines) for name in settings.all_datasets]
    }
    for half in domains.HALVES:
        runs = [name for name, run in settings.runs.items() if run.domain == half]
        if runs:
            parts[half] = [partial(_overview, half, runs, settings, paths)]
            parts[half] += [partial(_run, half, run, settings, paths, lines) for run in runs]
    with _drawing_processes() as pool:
        drawn = {name: pool.map(operator.call, sections) for name, sections in parts.items()}
        progress.started.set()
        data, *halves = (tuple(sections) for sections in drawn.values())
    progress.drawn.set()
    top = (Section(first.title, (*first.elements, *runs), first.id) for first, *runs in halves)
    return (Section("Data", data, id="data"), *top)


@contextlib.contextmanager
def _drawing_processes() -> Iterator[ProcessPoolExecutor]:
    """A process per processor, for matplotlib uses one. An interruption of this process ends them at once."""
    with ProcessPoolExecutor(initializer=_leave_signals_to_parent) as pool:
        try:
            yield pool
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _leave_signals_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _data_set(name: str, settings: Params, paths: ProjectPaths, lines: Lines) -> Section:
    """The data card of a data set."""
    folder = paths.figures / f"data-{name}"  # no run has a name with a hyphen
    facts = prepared.read_facts(paths.prepared(name))
    table = "own" if name in settings.own else "datasets"
    room = domains.DOMAINS[settings.all_datasets[name].domain].report
    card = room.data_section(paths.prepared(name), facts, folder)
    link = Link("Parameters", paths.params, line=lines[table][name])
    return Section(name, (Text(link), *_origin(facts), *card), id=_id("data", name), folded=True)


def _origin(facts: prepared.Facts) -> list[Element]:
    """Source and licence of a data set, and how many duplicates and unusable files it had."""
    licence = f". Licence: {facts.licence}. {facts.citation}".rstrip()
    found: list[Element] = [Text("Source: ", Code(facts.source), licence), _copies(facts.duplicates)]
    if facts.skipped is not None:
        read = Number("read", facts.read, format=",d")
        found.append(Numbers("Files", (read, Number("unusable, listed in skipped.csv", facts.skipped, format=",d"))))
    return found


def _copies(duplicates: prepared.DuplicateCounts) -> Numbers:
    """Examples with equal content: within and across the splits that have some, and those dropped."""
    counts = {f"within {split}": duplicates.within[split] for split in SPLITS}
    counts |= {f"across {splits}": count for splits, count in duplicates.across.items()}
    counts["dropped"] = sum(duplicates.dropped.values())
    found = {name: count for name, count in counts.items() if count} or {"within and across the splits": 0}
    return Numbers("Exact copies", tuple(Number(name, count, format=",d") for name, count in found.items()))


def _overview(half: str, runs: list[str], settings: Params, paths: ProjectPaths) -> Section:
    """The table of all runs of a half, and the figures that compare them."""
    groups = {run: settings.runs[run].dataset for run in runs}
    folder = paths.figures / f"all-{half}"  # no run has a name with a hyphen
    elements = [overview_table(half, runs, settings, paths), *_comparison(half, groups, settings, paths, folder)]
    return Section(domains.DOMAINS[half].report.TITLE, tuple(elements), id=half)


def _comparison(
    half: str, groups: dict[str, str], settings: Params, paths: ProjectPaths, folder: Path
) -> list[Element]:
    """`groups`: run -> data set."""
    room, runs = domains.DOMAINS[half].report, {run: paths.run(run, dataset) for run, dataset in groups.items()}
    trainings = {name: _training(run, groups[name]) for name, run in runs.items()}
    tables = {name: pd.read_csv(run.attack_table) for name, run in runs.items()}
    scores = {name: files.read_scores(run.attacks) for name, run in runs.items()}
    return [
        *learning.learning_curves(room.LEARNING, trainings, folder / "learning.png"),
        *comparison.robustness(room.ROBUSTNESS, tables, scores, folder / "attacks.png"),
        *comparison.worst_cases(room.ROBUSTNESS, tables, scores, groups, folder / "worst_cases.png"),
        *room.robustness_section(runs, settings.runs, folder),
        *room.comparison_section({name: run.insight for name, run in runs.items()}, groups, folder),
    ]


def _training(run: RunPaths, dataset: str) -> learning.Training:
    examples = int(files.read_scores(run.training)["examples"])
    history, seeds = pd.read_csv(run.history), seed_scores.histories(run)
    return learning.Training(dataset=dataset, history=history, examples=examples, seeds=seeds)


def _run(half: str, name: str, settings: Params, paths: ProjectPaths, lines: Lines) -> Section:
    room, run = domains.DOMAINS[half].report, paths.run(name, settings.runs[name].dataset)
    elements = room.run_section(run.evaluation, run.attacked, run.figures, data=run.prepared)
    if domains.DOMAINS[half].metrics.diverged(files.read_scores(run.scores)):
        elements = [Text(DIVERGED), *elements]
    insight = Section("What the network has learned", tuple(room.insight_section(run.insight, run.figures)))
    link = Link("Parameters", paths.params, line=lines["runs"][name])
    passed = gates.table(gates.check(settings.runs[name], run))
    searched = tuning.section(run)
    model = Code(f"tags.`model.sha256` = '{provenance.model_digest(run.model)}' and tags.run = '{name}'")
    where = Text(link, ". In MLflow (make ui) this filter finds the run: ", model)
    return Section(name, (where, *passed, *elements, insight, *searched), id=_id("run", name), folded=True)


def _id(kind: str, name: str) -> str:
    return f"{kind}-{name}"


def overview_table(half: str, runs: list[str], settings: Params, paths: ProjectPaths) -> Table:
    """A row per run, or per group of runs that differ only in their seed; a score that no run has is left out."""
    rows = aggregate.compare(half, {run: settings.runs[run] for run in runs}, paths)
    headline = {
        name: title
        for name, (title, _) in domains.DOMAINS[half].metrics.HEADLINE.items()
        if any(name in row.scores for row in rows)
    }
    columns = (
        Column("run", map(_links_to_runs, rows)),
        Column("network", [row.network for row in rows]),
        Column("data", [Link(row.dataset, f"#{_id('data', row.dataset)}") for row in rows]),
        Column("parameters", [row.parameters for row in rows], ",d"),
        Column("epochs (best)", map(_epochs, rows)),
        *(Column(title, [_score(row, name) for row in rows], "") for name, title in headline.items()),
    )
    caption = "Runs that differ only in their seed are one row: mean ± standard deviation (number of seeds)."
    return Table("All runs", columns, caption)


def _score(row: aggregate.Row, name: str) -> Cell:
    return "diverged" if row.diverged and name in row.scores else row.scores.get(name)


def _links_to_runs(row: aggregate.Row) -> Cell:
    """A link, or for several seeds their common name and a link to each."""
    links = [Link(run, f"#{_id('run', run)}") for run in row.runs]
    if len(links) == 1:
        return links[0]
    between: list[Span] = [span for link in links for span in (", ", link)]
    return (f"{row.name}: ", *between[1:])


def _epochs(row: aggregate.Row) -> str:
    epochs, best = (", ".join(map(str, sorted(set(numbers)))) for numbers in (row.epochs, row.best_epochs))
    return f"{epochs} ({best})" if any(row.epochs) else "none"
