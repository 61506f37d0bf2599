"""How far back each of several language models looks, and what their kinds of cell can remember. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cvnlp.language.report.context import along, draw_dependencies
from cvnlp.report import plots


def draw_comparison(learned: Mapping[str, Path], groups: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Figures over all runs of one data set: caption -> file. `learned`: each run's folder of insight; `groups`: its
    data set.
    """
    styles, drawn = plots.line_styles(groups), {}
    for dataset in dict.fromkeys(groups.values()):
        runs = {run: learned[run] for run in groups if groups[run] == dataset}
        path = folder / f"dependencies-{dataset}.png"
        _draw_dependencies(runs, styles, path)
        drawn[
            f"How far back the models of {dataset} look: by the gradient, by the loss when fewer are read, and by what "
            "it costs when the tokens before were another text's"
        ] = path
    recalls = {run: path for run in groups if (path := learned[run] / "recall.csv").is_file()}
    if recalls:
        _draw_recall({run: pd.read_csv(path) for run, path in recalls.items()}, styles, folder / "recall.png")
        drawn[
            "How often a small network of each run's kind of cell names a symbol that it read so many steps before; "
            "all were trained alike, on no more steps than up to the line"
        ] = folder / "recall.png"
    return drawn


def _draw_dependencies(runs: Mapping[str, Path], styles: plots.Styles, path: Path) -> None:
    gradients = {run: of for run, folder in runs.items() if (of := folder / "gradients.csv").is_file()}
    norms = pd.DataFrame({run: along(of, "trained") for run, of in gradients.items()})
    context = pd.DataFrame({run: along(of / "context.csv", "nats") for run, of in runs.items()})
    prefixes = {run: _longest_prefix(pd.read_csv(of / "prefixes.csv")) for run, of in runs.items()}
    draw_dependencies(norms, context, prefixes, styles, path)


def _longest_prefix(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["prefix"] == table["prefix"].max()].set_index("distance")


def _draw_recall(tables: Mapping[str, pd.DataFrame], styles: plots.Styles, path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=6.8, height=2.9)
    for run, table in tables.items():
        axis.semilogx(
            table["steps_back"], table["accuracy"], **styles[run], marker="o", markersize=4, base=2, label=run
        )
    axis.axvline(table["trained"][0], color="#999999", linewidth=1, label="furthest in training")
    axis.axhline(table["chance"][0], color="#999999", linewidth=1, linestyle=":", label="guessing")
    axis.set(xlabel="steps back", ylabel="named rightly", ylim=(0, 1.03))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    plots.save(figure, path)
