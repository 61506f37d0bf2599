"""Several language models compared: their use of context, and how long their recurrent units remember.

Imports no torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp.language.report.context import context_figure, read_column
from cvnlp.paths import RunPaths
from cvnlp.report import plots
from cvnlp.report.elements import Element, Figure, single_figure
from cvnlp.report.labels import short_label


def comparison_section(learned: Mapping[str, Path], groups: Mapping[str, str], folder: Path) -> list[Element]:
    """A figure for each data set. `learned`: run -> its folder of insight; `groups`: run -> its data set."""
    styles = plots.line_styles(groups)
    found: list[Element] = [
        _context(dataset, {run: learned[run] for run in groups if groups[run] == dataset}, styles, folder)
        for dataset in dict.fromkeys(groups.values())
    ]
    tables = {run: pd.read_csv(path) for run in groups if (path := learned[run] / "recall.csv").is_file()}
    return found + ([_recall(tables, styles, folder / "recall.png")] if tables else [])


def robustness_section(runs: Mapping[str, RunPaths], blocks: Mapping[str, Any], folder: Path) -> list[Element]:
    """Nothing more: texts attacked for one model are not shown to others, and none is trained on attacked ones."""
    return []


def _context(dataset: str, runs: Mapping[str, Path], styles: plots.Styles, folder: Path) -> Figure:
    gradients = {run: path for run, place in runs.items() if (path := place / "gradients.csv").is_file()}
    return context_figure(
        pd.DataFrame({run: read_column(path, "trained") for run, path in gradients.items()}),
        pd.DataFrame({run: read_column(place / "context.csv", "nats") for run, place in runs.items()}),
        {run: _longest_prefix(pd.read_csv(place / "prefixes.csv")) for run, place in runs.items()},
        styles,
        folder / f"context-{dataset}.png",
        title=f"Use of context by the models of {dataset}",
    )


def _longest_prefix(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["prefix"] == table["prefix"].max()].set_index("distance")


def _recall_limits(tables: Mapping[str, pd.DataFrame]) -> str:
    """The runs whose small networks were stopped before all had learned the task."""
    stopped = {run: table.iloc[0] for run, table in tables.items() if table["converged"][0] < table["seeds"][0]}
    told = [
        f"{run} (after {first['most_steps']:,.0f} steps, {first['converged']:.0f} of {first['seeds']:.0f})"
        for run, first in stopped.items()
    ]
    return f"Not all seeds had learned it with {', '.join(told)}: more steps might change their curves." if told else ""


def _recall(tables: Mapping[str, pd.DataFrame], styles: plots.Styles, path: Path) -> Figure:
    title = "Recall of one symbol"
    drawing, (axis,) = plots.panels(1, title=title, width=6.8, height=2.9)
    for run, table in tables.items():
        name = short_label(run)
        axis.errorbar(
            table["steps_back"], table["accuracy"], table["std"], **styles[run], marker="o", markersize=4, label=name
        )
    axis.set_xscale("log", base=2)
    axis.axvline(table["trained"][0], color=plots.GREY, linewidth=1, label="longest training distance")
    axis.axhline(table["chance"][0], color=plots.GREY, linewidth=1, linestyle=":", label="guessing")
    axis.set(xlabel="distance, steps back", ylabel="accuracy", ylim=(0, 1.03))
    plots.label_log_axis(axis.xaxis)
    drawing.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    plots.save(drawing, path)
    caption = (
        "Accuracy with which a small network with the same kind of recurrent unit as each run recalls a symbol from "
        "some steps back: mean and standard deviation over seeds. All were trained on distances up to the vertical "
        f"line, until they had learned the task or a number of steps was reached. {_recall_limits(tables)}"
    )
    return single_figure(title, caption, path, f"Line plots of accuracy against distance for {', '.join(tables)}")
