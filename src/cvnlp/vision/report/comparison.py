"""How far pictures may be changed before each of several classifiers reads them wrong. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from cvnlp.report import plots
from cvnlp.vision.report.insight import CHANGES

LEGEND_COLUMNS = 7


def draw_comparison(learned: Mapping[str, Path], groups: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Figures over all runs of one data set: caption -> file. `learned`: each run's folder of insight; `groups`: its
    data set.
    """
    drawn = {}
    for dataset in dict.fromkeys(groups.values()):
        runs = {run: learned[run] for run in groups if groups[run] == dataset}
        limits, worst = (_all(runs, f"{name}.csv") for name in ("limits", "worst"))
        path = folder / f"limits-{dataset}.png"
        _draw_limits(limits, worst, plots.line_styles(groups), path)
        drawn[f"Accuracy on changed validation pictures of {dataset}, and on each picture's worst change"] = path
    return drawn


def _all(runs: Mapping[str, Path], table: str) -> pd.DataFrame:
    """The tables of all runs, one after the other, with a column `run`."""
    return pd.concat([pd.read_csv(folder / table).assign(run=run) for run, folder in runs.items()])


def _draw_limits(limits: pd.DataFrame, worst: pd.DataFrame, styles: plots.Styles, path: Path) -> None:
    """A panel for every kind of change, and one for the worst."""
    figure, axes = plots.panels(len(CHANGES) + 1, width=2.9, height=max(3.1, 0.25 * len(worst) + 1.4))
    for axis, (change, (name, unit)) in zip(axes, CHANGES.items(), strict=False):
        for run, rows in limits[limits["change"] == change].groupby("run", sort=False):
            axis.plot(rows["amount"], rows["accuracy"], **styles[str(run)], marker="o", markersize=3, label=run)
        axis.set(title=name, xlabel=unit, ylim=(0, 1.02))
    axes[0].set_ylabel("validation accuracy")
    _draw_worst(axes[-1], worst, styles)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=LEGEND_COLUMNS)
    plots.save(figure, path)


def _draw_worst(axis: Axes, table: pd.DataFrame, styles: plots.Styles) -> None:
    """The share of pictures that are read rightly after every turn and move of a grid."""
    for run, share in zip(table["run"], table["accuracy"], strict=True):
        bars = axis.barh(run, share, color=styles[run]["color"])
        axis.bar_label(bars, [f"{share:.1%}"], padding=2, fontsize=8)
    grids = [
        f"{grid.rotation:g}°, {grid.shift:g} px" for grid in table.drop_duplicates(["rotation", "shift"]).itertuples()
    ]
    axis.set(title="worst case", xlabel=f"within {' or '.join(grids)}", xlim=(0, 1.2))
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
