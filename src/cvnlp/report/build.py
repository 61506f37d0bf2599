"""Scores and histories -> tables, figures and report.md. Knows neither torch nor MLflow."""

import itertools
import operator
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from cvnlp import domains, files
from cvnlp.data.prepared import SPLITS
from cvnlp.params import Params
from cvnlp.report import aggregate, plots

INTRO = (
    "# Report",
    "",
    "Every score is of the test split, which no training has seen; the runs are those of params.yaml.",
    "",
    "## Data",
    "",
)


@dataclass(frozen=True)
class Inputs:
    """The folders that the stages before have filled: one file or folder a run (`prepared`: a data set) in each."""

    prepared: Path
    training: Path
    history: Path
    scores: Path
    attacks: Path
    insights: Path
    details: Path
    examples: Path
    learned: Path


def write_report(settings: Params, params: Path, inputs: Inputs, figures: Path, report: Path) -> None:
    """Draw every figure into `figures/<run>` and write `report`, which links to them."""
    places: dict[str, Any] = {"inputs": inputs, "figures": figures, "report": report}
    sections: list[Callable[[], list[str]]] = [
        partial(_card, name, settings, params, **places) for name in settings.all_datasets
    ]
    for half in domains.HALVES:
        runs = [name for name, run in settings.runs.items() if run.domain == half]
        if runs:
            sections.append(partial(_overview, half, runs, settings, **places))
            sections += [partial(_run, half, run, params, **places) for run in runs]
    with ProcessPoolExecutor() as pool:  # matplotlib keeps one core busy, a section needs no other
        lines = [*INTRO, *itertools.chain.from_iterable(pool.map(operator.call, sections))]
    files.write_text(report, "\n".join(lines).rstrip() + "\n")


def _card(name: str, settings: Params, params: Path, *, inputs: Inputs, figures: Path, report: Path) -> list[str]:
    """What a data set is, with its figures."""
    dataset = settings.all_datasets[name]
    data, folder = inputs.prepared / name, figures / f"data-{name}"  # no run has a name with a hyphen
    facts = files.read_json(data / "facts.json")
    card = domains.DOMAINS[dataset.domain].report.draw_card(data, facts, folder)
    table = "own" if name in settings.own else "datasets"
    lines = [f"### {name}", "", _link_to_params(params, table, name, report), "", *_about(facts)]
    return [*lines, *(line.replace("{folder}", _link(folder, report)) for line in card)]


def _about(facts: dict[str, Any]) -> list[str]:
    """Where a data set is from, what was left out of it, and what stands in it twice."""
    copies = facts["duplicates"]["within"]
    within = ", ".join(f"{copies[split]:,} in {split}" for split in SPLITS)
    across = ", ".join(f"{count:,} {splits}" for splits, count in facts["duplicates"]["across"].items())
    dropped = sum(facts["duplicates"]["dropped"].values())
    lines = [
        f"Source: `{facts['source']}`. Licence: {facts['licence']}. {facts['citation']}".strip(),
        "",
        f"Exact copies: {within}; across splits: {across}" + (f"; {dropped:,} dropped." if dropped else "."),
        "",
    ]
    if "skipped" in facts:
        lines += [f"Files: {facts['read']:,} read, {facts['skipped']:,} unusable (listed in skipped.csv).", ""]
    return lines


def _overview(
    half: str, runs: list[str], settings: Params, *, inputs: Inputs, figures: Path, report: Path
) -> list[str]:
    """All runs of a half side by side."""
    groups = {run: settings.runs[run].dataset for run in runs}
    lines = [f"## {domains.DOMAINS[half].report.TITLE}", ""]
    lines += [table(half, runs, settings, inputs).to_markdown(index=False, disable_numparse=True), ""]
    drawn = _draw_comparison(half, groups, inputs, figures / f"all-{half}")  # no run has a name with a hyphen
    for caption, path in drawn.items():
        lines += [f"![{caption}]({_link(path, report)})", "", f"*{caption}.*", ""]
    return lines


def _draw_comparison(half: str, groups: dict[str, str], inputs: Inputs, folder: Path) -> dict[str, Path]:
    """Figures over all runs of a half: caption -> file."""
    drawing, drawn = domains.DOMAINS[half].report, {}
    histories = {run: pd.read_csv(inputs.history / f"{run}.csv") for run in groups}
    if plots.draw_learning(drawing.LEARNING, histories, groups, folder / "learning.png"):
        drawn[drawing.LEARNING.caption] = folder / "learning.png"
    tables = {run: pd.read_csv(inputs.attacks / f"{run}.csv") for run in groups}
    scores = {run: files.read_json(inputs.attacks / f"{run}.json") for run in groups}
    plots.draw_robustness(drawing.ROBUSTNESS, tables, scores, folder / "attacks.png")
    drawn[drawing.ROBUSTNESS.caption] = folder / "attacks.png"
    learned = {run: inputs.learned / run for run in groups}
    return drawn | domains.DOMAINS[half].report.draw_comparison(learned, groups, folder)


def _run(half: str, run: str, params: Path, *, inputs: Inputs, figures: Path, report: Path) -> list[str]:
    section = domains.DOMAINS[half].report.draw_run(inputs.details / run, inputs.examples / run, figures / run)
    section += ["#### What it has learned", ""]
    section += domains.DOMAINS[half].report.draw_insight(inputs.learned / run, figures / run)
    link = _link(figures / run, report)
    parameters = _link_to_params(params, "runs", run, report)
    return [f"### {run}", "", parameters, "", *(line.replace("{folder}", link) for line in section)]


def table(half: str, runs: list[str], settings: Params, inputs: Inputs) -> pd.DataFrame:
    """One row per run, or for those that differ in nothing but their seed: what it is, what it cost, how it scored.

    A score that no run has has no column.
    """
    chosen = {run: settings.runs[run] for run in runs}
    rows = aggregate.compare(half, chosen, scores=inputs.scores, training=inputs.training)
    headline = domains.DOMAINS[half].metrics.HEADLINE
    known = {name: title for name, (title, _) in headline.items() if any(name in row.scores for row in rows)}
    return pd.DataFrame(
        [_cells(row) | {title: str(row.scores.get(name, "")) for name, title in known.items()} for row in rows]
    )


def _cells(row: aggregate.Row) -> dict[str, str]:
    epochs, best = (", ".join(map(str, sorted(set(numbers)))) for numbers in (row.epochs, row.best_epochs))
    return {
        "run": row.name,
        "network": row.network,
        "data": row.dataset,
        "parameters": f"{row.parameters:,}",
        "epochs (best)": f"{epochs} ({best})" if any(row.epochs) else "none",
    }


def _link(path: Path, report: Path) -> str:
    return Path(os.path.relpath(path, report.parent)).as_posix()


def _link_to_params(params: Path, table: str, name: str, report: Path) -> str:
    """A link to the line of params.yaml where the block begins."""
    line = int(YAML().load(params)[table].lc.key(name)[0]) + 1
    return f"[Parameters]({_link(params, report)}#L{line})"
