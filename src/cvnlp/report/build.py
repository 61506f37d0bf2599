"""Scores and histories -> tables, figures and report.md. Knows neither torch nor MLflow."""

import itertools
import operator
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.data.prepared import SPLITS
from cvnlp.params import Params
from cvnlp.paths import ProjectPaths
from cvnlp.report import aggregate, plots

INTRO = (
    "# Report",
    "",
    "Every score is of the test split, which no training has seen; the runs are those of params.yaml.",
    "",
    "## Data",
    "",
)


def write_report(settings: Params, paths: ProjectPaths) -> None:
    """Draw every figure and write the report, which links to them."""
    sections: list[Callable[[], list[str]]] = [partial(_card, name, settings, paths) for name in settings.all_datasets]
    for half in domains.HALVES:
        runs = [name for name, run in settings.runs.items() if run.domain == half]
        if runs:
            sections.append(partial(_overview, half, runs, settings, paths))
            sections += [partial(_run, half, run, settings, paths) for run in runs]
    with ProcessPoolExecutor() as pool:  # matplotlib keeps one core busy, a section needs no other
        lines = [*INTRO, *itertools.chain.from_iterable(pool.map(operator.call, sections))]
    files.write_text(paths.report, "\n".join(lines).rstrip() + "\n")


def _card(name: str, settings: Params, paths: ProjectPaths) -> list[str]:
    """What a data set is, with its figures."""
    dataset = settings.all_datasets[name]
    data, folder = paths.prepared(name), paths.figures / f"data-{name}"  # no run has a name with a hyphen
    facts = prepared.read_facts(data)
    card = domains.DOMAINS[dataset.domain].report.draw_card(data, facts, folder)
    table = "own" if name in settings.own else "datasets"
    lines = [f"### {name}", "", _link_to_params(paths, table, name), "", *_about(facts)]
    return [*lines, *(line.replace("{folder}", _link(folder, paths)) for line in card)]


def _about(facts: prepared.Facts) -> list[str]:
    """Where a data set is from, what was left out of it, and what stands in it twice."""
    copies = facts.duplicates.within
    within = ", ".join(f"{copies[split]:,} in {split}" for split in SPLITS)
    across = ", ".join(f"{count:,} {splits}" for splits, count in facts.duplicates.across.items())
    dropped = sum(facts.duplicates.dropped.values())
    lines = [
        f"Source: `{facts.source}`. Licence: {facts.licence}. {facts.citation}".strip(),
        "",
        f"Exact copies: {within}; across splits: {across}" + (f"; {dropped:,} dropped." if dropped else "."),
        "",
    ]
    if facts.skipped is not None:
        lines += [f"Files: {facts.read:,} read, {facts.skipped:,} unusable (listed in skipped.csv).", ""]
    return lines


def _overview(half: str, runs: list[str], settings: Params, paths: ProjectPaths) -> list[str]:
    """All runs of a half side by side."""
    groups = {run: settings.runs[run].dataset for run in runs}
    lines = [f"## {domains.DOMAINS[half].report.TITLE}", ""]
    lines += [table(half, runs, settings, paths).to_markdown(index=False, disable_numparse=True), ""]
    drawn = _draw_comparison(half, groups, paths, paths.figures / f"all-{half}")  # no run has a name with a hyphen
    for caption, path in drawn.items():
        lines += [f"![{caption}]({_link(path, paths)})", "", f"*{caption}.*", ""]
    return lines


def _draw_comparison(half: str, groups: dict[str, str], paths: ProjectPaths, folder: Path) -> dict[str, Path]:
    """Figures over all runs of a half: caption -> file."""
    drawing, drawn = domains.DOMAINS[half].report, {}
    runs = {run: paths.run(run, dataset) for run, dataset in groups.items()}
    histories = {name: pd.read_csv(run.history) for name, run in runs.items()}
    if plots.draw_learning(drawing.LEARNING, histories, groups, folder / "learning.png"):
        drawn[drawing.LEARNING.caption] = folder / "learning.png"
    tables = {name: pd.read_csv(run.attack_table) for name, run in runs.items()}
    scores = {name: files.read_json(run.attacks) for name, run in runs.items()}
    plots.draw_robustness(drawing.ROBUSTNESS, tables, scores, folder / "attacks.png")
    drawn[drawing.ROBUSTNESS.caption] = folder / "attacks.png"
    learned = {name: run.insight for name, run in runs.items()}
    return drawn | domains.DOMAINS[half].report.draw_comparison(learned, groups, folder)


def _run(half: str, name: str, settings: Params, paths: ProjectPaths) -> list[str]:
    room, run = domains.DOMAINS[half].report, paths.run(name, settings.runs[name].dataset)
    section = room.draw_run(run.evaluation, run.attack_examples, run.figures)
    section += ["#### What it has learned", "", *room.draw_insight(run.insight, run.figures)]
    link = _link(run.figures, paths)
    parameters = _link_to_params(paths, "runs", name)
    return [f"### {name}", "", parameters, "", *(line.replace("{folder}", link) for line in section)]


def table(half: str, runs: list[str], settings: Params, paths: ProjectPaths) -> pd.DataFrame:
    """One row per run, or for those that differ in nothing but their seed: what it is, what it cost, how it scored.

    A score that no run has has no column.
    """
    chosen = {run: settings.runs[run] for run in runs}
    rows = aggregate.compare(half, chosen, paths)
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


def _link(path: Path, paths: ProjectPaths) -> str:
    return Path(os.path.relpath(path, paths.report.parent)).as_posix()


def _link_to_params(paths: ProjectPaths, table: str, name: str) -> str:
    """A link to the line of params.yaml where the block begins."""
    line = int(YAML().load(paths.params)[table].lc.key(name)[0]) + 1
    return f"[Parameters]({_link(paths.params, paths)}#L{line})"
