"""Trained and planned runs beside published figures: a table and a figure for each data set."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import domains
from cvnlp.paths import BenchmarkPaths
from cvnlp.report import plots
from cvnlp.report.aggregate import Row, Spread

NOT_RUN = "not run"
MARKERS = "osD^vP*X"


@dataclass(frozen=True)
class Entry:
    """A row of the tables: `seconds` of training, None of what is not run, and `where`: on what it was trained.

    `timing` is of an idle machine, or empty.
    """

    row: Row
    seconds: Spread | None
    timing: dict[str, Any]
    where: str = ""


def half_report(half: str, entries: list[Entry], published: pd.DataFrame, paths: BenchmarkPaths) -> list[str]:
    """The lines of one half in Markdown, next to the `published` results; its figures are drawn."""
    compared = domains.DOMAINS[half].metrics.COMPARED
    lines = [f"## {domains.DOMAINS[half].report.TITLE}", ""]
    for dataset in dict.fromkeys(entry.row.dataset for entry in entries):
        own = [entry for entry in entries if entry.row.dataset == dataset]
        cited = published[published["dataset"] == dataset].to_dict("records")
        rows = [_cells(half, entry) for entry in own] + [_cited(line, compared, paths.published) for line in cited]
        table = _shown(pd.DataFrame(rows).fillna(""), waiting=[entry.seconds is None for entry in own])
        lines += [f"### {dataset}", "", table.to_markdown(index=False, disable_numparse=True), ""]
        if trained := [entry for entry in own if entry.seconds is not None]:
            figure = paths.figures / f"{dataset}.png"
            _draw(trained, compared, dataset, figure)
            lines += [f"![Score against cost]({Path(os.path.relpath(figure, paths.report.parent)).as_posix()})", ""]
    return lines


def _shown(table: pd.DataFrame, waiting: list[bool]) -> pd.DataFrame:
    """The columns of which something is known; what is not known of rows that wait to be run is NOT_RUN."""
    known = table.loc[:, (table != "").any()].copy()
    rows = known.index[: len(waiting)][waiting]
    known.loc[rows] = known.loc[rows].replace("", NOT_RUN)
    return known


def _cells(half: str, entry: Entry) -> dict[str, str]:
    """Every column of the table, empty where nothing is known."""
    row, timing, scored = entry.row, entry.timing, domains.DOMAINS[half].metrics
    about = {
        "run": row.name,
        "network": row.network,
        "parameters": f"{row.parameters:,}",
        "multiply-adds": f"{row.multiply_adds:,}",
        "epochs": ", ".join(map(str, sorted(set(row.epochs)))),
        "seconds per epoch": f"{timing['seconds_per_epoch']:,.1f}" if timing else "",
        f"{scored.EXAMPLES} per second": f"{timing['examples_per_second']:,.0f}" if timing else "",
        "minutes of training": "" if entry.seconds is None else _minutes(entry.seconds),
        "trained on": entry.where,
    }
    scores = {
        title: row.scores[name].scaled(factor).shown(2) if name in row.scores else ""
        for name, (title, factor) in scored.COMPARED.items()
    }
    return about | scores | {"source": "here"}


def _minutes(seconds: Spread) -> str:
    """To the second where they are few."""
    minutes = seconds.mean / 60
    return f"{minutes:,.{1 if minutes >= 10 else 2}f}"


def _cited(line: dict[Any, str], compared: Mapping[str, tuple[str, float]], source: Path) -> dict[str, str]:
    """A published figure as its source gives it, in the column of its metric."""
    if line["metric"] not in compared:
        choices = ", ".join(compared)
        raise ValueError(
            f"{source}: metric {line['metric']!r} of {line['what']!r} is unknown; valid choices: {choices}"
        )
    title = compared[line["metric"]][0]
    return {"run": line["what"], "parameters": line["parameters"], title: line["figure"], "source": line["source"]}


def _draw(entries: list[Entry], compared: Mapping[str, tuple[str, float]], title: str, path: Path) -> None:
    """The first of the compared scores of what was trained, against both costs.

    What costs nothing has no place on a logarithmic axis.
    """
    name, (label, factor) = next(iter(compared.items()))
    figure, axes = plots.panels(2, width=4.4, height=3.8, sharey=True)
    for place, entry in enumerate(entries):
        score = entry.row.scores[name].scaled(factor)
        look: dict[str, Any] = {
            "color": plots.COLOURS[place % len(plots.COLOURS)],
            "marker": MARKERS[place % len(MARKERS)],
        }
        minutes = entry.seconds.mean / 60 if entry.seconds else 0.0
        for axis, cost in zip(axes, (entry.row.multiply_adds, minutes), strict=True):
            if cost:
                axis.errorbar(cost, score.mean, yerr=score.std or 0, linestyle="", label=entry.row.name, **look)
    for axis, what in zip(axes, ("multiply-adds", "minutes of training"), strict=True):
        axis.set(title=title, xscale="log", xlabel=what)
    axes[0].set_ylabel(label)
    if axes[1].containers:
        axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plots.save(figure, path)
