"""The figure that compares the runs of either half under attack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cvnlp.report import plots
from cvnlp.report.elements import Figure, single_figure
from cvnlp.report.labels import short_label

PANEL, LEGEND_PER_INCH = 3.4, 0.58  # width in inches; entries of the legend in an inch
WORST = "worst_case"  # method in the tables: the worst over all attacks, for each image or text


@dataclass(frozen=True)
class Robustness:
    """The metric of a half's attack tables, and the strength that it depends on; `<metric>_clean` is its value at 0.

    `attacks`: method -> its label and colour.
    """

    strength: str
    metric: str
    strength_label: str
    metric_label: str
    attacks: Mapping[str, tuple[str, str]]
    title: str
    caption: str
    worst_title: str
    worst_caption: str


def robustness(
    shown: Robustness, tables: Mapping[str, pd.DataFrame], scores: Mapping[str, dict[str, float]], path: Path
) -> list[Figure]:
    """The metric against the strength of each attack, a plot per run."""
    drawing, axes = plots.panels(len(tables), title=shown.title, width=PANEL, sharey=shown.metric == "accuracy")
    for axis, (run, table) in zip(axes, tables.items(), strict=True):
        for method, rows in table.groupby("method", sort=False):
            label, colour = shown.attacks[str(method)]
            strengths = [0.0, *rows[shown.strength]]
            values = [scores[run][f"{shown.metric}_clean"], *rows[shown.metric]]
            axis.plot(strengths, values, color=colour, marker="o", markersize=4, label=label)
        axis.set(title=short_label(run), xlabel=shown.strength_label)
    axes[0].set_ylabel(shown.metric_label)
    fullest = max(axes, key=lambda axis: len(axis.lines))  # some attacks do not apply to every network
    columns = max(1, int(LEGEND_PER_INCH * PANEL * len(tables)))
    drawing.legend(*fullest.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    plots.save(drawing, path)
    alternative = f"Line plots of the {shown.metric_label}, by strength of each attack, for {', '.join(tables)}"
    return [single_figure(shown.title, shown.caption, path, alternative)]


def worst_cases(
    shown: Robustness,
    tables: Mapping[str, pd.DataFrame],
    scores: Mapping[str, dict[str, float]],
    groups: Mapping[str, str],
    path: Path,
) -> list[Figure]:
    """The worst case over all attacks by strength, a line per run, a plot per data set. `groups`: run -> data set."""
    names, styles = list(dict.fromkeys(groups.values())), plots.line_styles(tables)
    drawing, axes = plots.panels(len(names), title=shown.worst_title, width=PANEL + 0.6)
    for axis, name in zip(axes, names, strict=True):
        for run in (run for run in tables if groups[run] == name):
            rows = tables[run][tables[run]["method"] == WORST]
            values = [scores[run][f"{shown.metric}_clean"], *rows[shown.metric]]
            axis.plot(
                [0.0, *rows[shown.strength]], values, **styles[run], marker="o", markersize=4, label=short_label(run)
            )
        axis.set(title=short_label(name), xlabel=shown.strength_label, ylabel=shown.metric_label)
    lines = [line for axis in axes for line in axis.lines]
    columns = max(2, int(LEGEND_PER_INCH * PANEL * len(names)))
    drawing.legend(lines, [str(line.get_label()) for line in lines], loc="outside lower center", ncols=columns)
    plots.save(drawing, path)
    alternative = f"Line plots of the {shown.metric_label} in the worst case, for {', '.join(tables)}"
    return [single_figure(shown.worst_title, shown.worst_caption, path, alternative)]
