"""A section for each data set of the benchmarks: trained runs next to published results, as a table and a figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import domains
from cvnlp.benchmark.paths import BenchmarkPaths
from cvnlp.report import plots
from cvnlp.report.aggregate import Row
from cvnlp.report.elements import Cell, Column, Element, Figure, Section, Table, single_figure
from cvnlp.report.spread import Spread

NOT_RUN = "not run"
HERE = "this project"
MARKERS = "osD^vP*X"
Compared = Mapping[str, tuple[str, float]]  # score -> its title and the factor to its unit


@dataclass(frozen=True)
class Timing:
    """Speed of a training on an idle machine."""

    seconds_per_epoch: float
    examples_per_second: float


@dataclass(frozen=True)
class Entry:
    """Runs that differ only in their seed, with what their training cost.

    `seconds` of training are None for runs that are not trained yet; `where` is the hardware they were trained on.
    """

    row: Row
    seconds: Spread | None = None
    timing: Timing | None = None
    where: str = ""


def half_section(half: str, entries: list[Entry], published: pd.DataFrame, paths: BenchmarkPaths) -> Section:
    """A subsection for each data set; the figures are drawn into files."""
    datasets = dict.fromkeys(entry.row.dataset for entry in entries)
    own = {dataset: [entry for entry in entries if entry.row.dataset == dataset] for dataset in datasets}
    sections = (_data_set(half, dataset, own[dataset], published, paths) for dataset in datasets)
    return Section(domains.DOMAINS[half].report.TITLE, tuple(sections))


def _data_set(half: str, dataset: str, own: list[Entry], published: pd.DataFrame, paths: BenchmarkPaths) -> Section:
    compared = domains.DOMAINS[half].metrics.COMPARED
    results = published[published["dataset"] == dataset].to_dict("records")
    rows = [_own_row(half, entry) for entry in own]
    rows += [_published_row(result, compared, paths.published) for result in results]
    columns = tuple(_columns(half, rows, waiting=[entry.seconds is None for entry in own]))
    elements: list[Element] = [Table(f"Results on {dataset}", columns, CAPTION)]
    if trained := [entry for entry in own if entry.seconds is not None]:
        elements.append(_score_against_cost(trained, compared, dataset, paths.figures / f"{dataset}.png"))
    return Section(dataset, tuple(elements))


CAPTION = (
    "Mean over the seeds ± sample standard deviation (number of seeds). Published results are cited as in their source."
)


def _formats(half: str) -> dict[str, str | None]:
    """Title of every column in order -> format of its numbers, None for text."""
    metrics = domains.DOMAINS[half].metrics
    return {
        "run": None,
        "network": None,
        "parameters": ",d",
        "multiply-adds": ",d",
        "epochs": ",d",
        "seconds per epoch": ",.1f",
        f"{metrics.EXAMPLES} per second": ",.0f",
        "minutes of training": ",.2f",
        "trained on": None,
        **{title: ",.2f" for title, _ in metrics.COMPARED.values()},
        "source": None,
    }


def _columns(half: str, rows: list[dict[str, Cell]], waiting: list[bool]) -> Iterable[Column]:
    """The columns in which some row has a value; the first rows say "not run" where they are `waiting` for theirs."""
    missing = [NOT_RUN if waits else None for waits in waiting]
    missing += [None] * (len(rows) - len(waiting))
    for title, spec in _formats(half).items():
        if any(row.get(title) is not None for row in rows):
            cells = (
                value if (value := row.get(title)) is not None else none
                for row, none in zip(rows, missing, strict=True)
            )
            yield Column(title, cells, spec)


def _own_row(half: str, entry: Entry) -> dict[str, Cell]:
    """Title of a column -> cell, for all that is known."""
    row, timing, metrics = entry.row, entry.timing, domains.DOMAINS[half].metrics
    cells: dict[str, Cell] = {
        "run": row.name,
        "network": row.network,
        "parameters": row.parameters,
        "multiply-adds": row.multiply_adds,
        "epochs": row.epochs[0] if len(set(row.epochs)) == 1 else ", ".join(map(str, sorted(set(row.epochs)))),
        "minutes of training": entry.seconds.mean / 60 if entry.seconds else None,
        "trained on": entry.where or None,
        "source": HERE,
    }
    if timing:
        cells |= {"seconds per epoch": timing.seconds_per_epoch}
        cells |= {f"{metrics.EXAMPLES} per second": timing.examples_per_second}
    scores = {
        title: row.scores[name].scaled(by) for name, (title, by) in metrics.COMPARED.items() if name in row.scores
    }
    return cells | scores


def _published_row(result: dict[Any, str], compared: Compared, source: Path) -> dict[str, Cell]:
    """A published result as text, exactly as in its source, in the column of its metric."""
    if result["metric"] not in compared:
        choices = ", ".join(compared)
        raise ValueError(
            f"{source}: metric {result['metric']!r} of {result['what']!r} is unknown; valid choices: {choices}"
        )
    cells: dict[str, Cell] = {
        "run": result["what"],
        "parameters": result["parameters"] or None,
        compared[result["metric"]][0]: result["figure"],
        "source": result["source"],
    }
    return cells


def _score_against_cost(entries: list[Entry], compared: Compared, dataset: str, path: Path) -> Figure:
    """The first of the compared scores against both costs; a cost of 0 has no place on a logarithmic axis."""
    score, (label, factor) = next(iter(compared.items()))
    title = f"Score against cost on {dataset}"
    drawing, axes = plots.panels(2, title=title, width=4.4, height=3.8, sharey=True)
    for place, entry in enumerate(entries):
        spread = entry.row.scores[score].scaled(factor)
        colour, marker = plots.COLOURS[place % len(plots.COLOURS)], MARKERS[place % len(MARKERS)]
        minutes = entry.seconds.mean / 60 if entry.seconds else 0.0
        for axis, cost in zip(axes, (entry.row.multiply_adds, minutes), strict=True):
            if cost:
                name, error = entry.row.name, spread.std or 0
                axis.errorbar(cost, spread.mean, error, color=colour, marker=marker, linestyle="", label=name)
    for axis, (name, unit) in zip(axes, COSTS.items(), strict=True):
        axis.set(title=name, xscale="log", xlabel=unit)
        plots.label_log_axis(axis.xaxis)
    axes[0].set_ylabel(label)
    if axes[1].containers:
        axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plots.save(drawing, path)
    caption = (
        f"Score ({label}) of each run against the cost of inference (left) and of training (right), on logarithmic "
        "axes. Error bars are standard deviations over seeds."
    )
    return single_figure(title, caption, path, f"Scatter plots of {', '.join(entry.row.name for entry in entries)}")


COSTS = {"inference": "multiply-adds per image or token", "training": "minutes of training"}
