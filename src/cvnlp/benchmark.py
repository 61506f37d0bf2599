"""The runs of a params.yaml beside published figures: tables, a figure for each data set, machines and versions.

What is not trained yet, and the runs of a second file of the same form, too large for the machine, stand among them as
not run.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import comparison, domain, files, plots, provenance
from cvnlp.comparison import Row, Size, Spread
from cvnlp.params import Params
from cvnlp.params.runs import LanguageRun, VisionRun

INTRO = (
    "Every score is of the test split, which no training has seen: the mean, after ± the standard deviation of the "
    "sample, in brackets the number of seeds. Multiply-adds are those of one picture or token, read once."
)
NOT_RUN = "not run"
PUBLISHED = ("dataset", "what", "parameters", "metric", "figure", "source")
MARKERS = "osD^vP*X"
WHERE = "{device}, {threads} of {processors}"
PLACE = (
    "{processor} (processors: {processors}, threads: {threads}), device {device}, {system}, "
    "torch {torch}, Python {python}"
)


@dataclass(frozen=True)
class Inputs:
    """Folders with a file for each run, the file of timings, and the table of published figures."""

    training: Path
    scores: Path
    durations: Path
    timings: Path
    published: Path


@dataclass(frozen=True)
class Entry:
    """A row of the tables: `seconds` of training, None of what is not run, and `where`: on what it was trained.

    `timing` is of an idle machine, or empty.
    """

    row: Row
    seconds: Spread | None
    timing: dict[str, Any]
    where: str = ""


def read_larger(path: Path, settings: Params) -> Params:
    """The runs that are not trained; ValueError unless one could move into the file of `settings` as it stands."""
    larger = domain.read_params(path)
    for name in larger.runs:
        if name in settings.runs:
            raise ValueError(f"{path}: runs.{name} is trained, for it stands in params.yaml; take it out of here")
    for name, dataset in larger.datasets.items():
        if dataset != settings.datasets.get(name):
            raise ValueError(f"{path}: datasets.{name} is not that of params.yaml; let it say the same there and here")
    return larger


def split_trained(settings: Params, inputs: Inputs) -> tuple[Params, Params]:
    """The same settings with the runs that have results, and with those of which no seed has."""
    trained = {name: run for name, run in settings.runs.items() if (inputs.scores / f"{name}.json").is_file()}
    waiting = {
        name: settings.runs[name]
        for members in comparison.seeds(settings.runs).values()
        for name in members
        if trained.keys().isdisjoint(members)
    }
    return settings.model_copy(update={"runs": trained}), settings.model_copy(update={"runs": waiting})


def write_comparison(
    settings: Params,
    inputs: Inputs,
    waiting: Mapping[str, VisionRun | LanguageRun],
    sizes: Mapping[str, Size],
    *,
    report: Path,
    table: Path,
    figures: Path,
) -> None:
    """Write the tables as Markdown (`report`) and as CSV (`table`), and a figure for each data set into `figures`.

    The runs of `settings` have results; those `waiting`, whose networks have these `sizes`, have none.
    """
    published = _read_published(inputs.published)
    lines, numbers = ["# Benchmarks", "", INTRO, ""], []
    for half in domain.HALVES:
        entries = _entries(half, settings, inputs)
        entries += [Entry(row, None, {}) for row in comparison.planned(half, waiting, sizes)]
        numbers += [_numbers(half, entry) for entry in entries]
        lines += _half(half, entries, published, inputs.published, figures, report) if entries else []
    lines += ["## Machines and versions", "", *_machines(settings, inputs)]
    files.write_table(table, pd.DataFrame(numbers))
    files.write_text(report, "\n".join(lines).rstrip() + "\n")


def configuration(settings: Params, run: str) -> str:
    """A digest of all that decides how long an epoch takes: what was measured of another is worth nothing."""
    block = settings.runs[run]
    decisive = block.model_dump(include={"domain", "model"}) | {"train": block.train.model_dump(exclude={"epochs"})}
    return provenance.digest([decisive, settings.all_datasets[block.dataset].model_dump()])


def _read_published(path: Path) -> pd.DataFrame:
    """As text: figures are cited as they stand there."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [name for name in PUBLISHED if name not in table]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; columns: {', '.join(PUBLISHED)}")
    return table


def _entries(half: str, settings: Params, inputs: Inputs) -> list[Entry]:
    runs = {name: run for name, run in settings.runs.items() if run.domain == half}
    timings = files.read_json(inputs.timings)
    entries = []
    for row in comparison.compare(half, runs, scores=inputs.scores, training=inputs.training):
        spent = [files.read_json(inputs.durations / f"{run}.json") for run in row.runs]
        where = ", ".join(sorted({WHERE.format(**one) for one in spent}))
        timing = timings.get(row.name, {})
        valid = timing.get("configuration") == configuration(settings, row.runs[0])
        entries.append(Entry(row, comparison.spread(one["seconds"] for one in spent), timing if valid else {}, where))
    return entries


def _numbers(half: str, entry: Entry) -> dict[str, Any]:
    """A line of the CSV: every score of the half's HEADLINE, unrounded; of what is not run no seed was trained."""
    row = entry.row
    about = {
        "domain": half,
        "dataset": row.dataset,
        "run": row.name,
        "network": row.network,
        "seeds": len(row.runs) if entry.seconds else 0,
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "epochs": comparison.spread(row.epochs).mean,
        "seconds": entry.seconds.mean if entry.seconds else None,
        "trained_on": entry.where or None,
    }
    about |= {name: entry.timing.get(name) for name in ("seconds_per_epoch", "examples_per_second")}
    for name, score in row.scores.items():
        about |= {name: score.mean, f"{name}_std": score.std}
    return about


def _half(
    half: str, entries: list[Entry], published: pd.DataFrame, source: Path, figures: Path, report: Path
) -> list[str]:
    compared = domain.part(half, "scores").COMPARED
    lines = [f"## {domain.part(half, 'figures').TITLE}", ""]
    for dataset in dict.fromkeys(entry.row.dataset for entry in entries):
        own = [entry for entry in entries if entry.row.dataset == dataset]
        cited = published[published["dataset"] == dataset].to_dict("records")
        rows = [_cells(half, entry) for entry in own] + [_cited(line, compared, source) for line in cited]
        table = _shown(pd.DataFrame(rows).fillna(""), waiting=[entry.seconds is None for entry in own])
        lines += [f"### {dataset}", "", table.to_markdown(index=False, disable_numparse=True), ""]
        if trained := [entry for entry in own if entry.seconds is not None]:
            figure = figures / f"{dataset}.png"
            _draw(trained, compared, dataset, figure)
            lines += [f"![Score against cost]({Path(os.path.relpath(figure, report.parent)).as_posix()})", ""]
    return lines


def _shown(table: pd.DataFrame, waiting: list[bool]) -> pd.DataFrame:
    """The columns of which something is known; what is not known of rows that wait to be run is NOT_RUN."""
    known = table.loc[:, (table != "").any()].copy()
    rows = known.index[: len(waiting)][waiting]
    known.loc[rows] = known.loc[rows].replace("", NOT_RUN)
    return known


def _cells(half: str, entry: Entry) -> dict[str, str]:
    """Every column of the table, empty where nothing is known."""
    row, timing, scored = entry.row, entry.timing, domain.part(half, "scores")
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


def _cited(line: dict[Any, str], compared: dict[str, tuple[str, float]], source: Path) -> dict[str, str]:
    """A published figure as its source gives it, in the column of its metric."""
    if line["metric"] not in compared:
        choices = ", ".join(compared)
        raise ValueError(
            f"{source}: metric {line['metric']!r} of {line['what']!r} is unknown; valid choices: {choices}"
        )
    title = compared[line["metric"]][0]
    return {"run": line["what"], "parameters": line["parameters"], title: line["figure"], "source": line["source"]}


def _draw(entries: list[Entry], compared: dict[str, tuple[str, float]], title: str, path: Path) -> None:
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


def _machines(settings: Params, inputs: Inputs) -> list[str]:
    """What was measured where and by which code, as a list; equal places are one line."""
    trained = [files.read_json(inputs.durations / f"{run}.json") for run in settings.runs]
    lines = ["Trainings:", "", *_places(trained, "run"), ""]
    timed = files.read_json(inputs.timings).values()
    return [*lines, "Seconds per epoch:", "", *_places(timed, "measurement"), ""] if timed else lines


def _places(measured: Iterable[dict[str, Any]], what: str) -> list[str]:
    found = defaultdict(list)
    for one in measured:
        found[PLACE.format(**one)].append(one)
    lines = []
    for place, members in found.items():
        days = sorted(one["date"][:10] for one in members)
        commits = ", ".join(sorted({_commit(one) for one in members}))
        lines.append(f"- {len(members)} {what}{'s' * (len(members) > 1)}: {place}; {days[0]} to {days[-1]}; {commits}")
    return lines


def _commit(one: dict[str, Any]) -> str:
    return f"commit {one['commit'][:8]}{' with changes' * one['changed']}" if "commit" in one else "no commit"
