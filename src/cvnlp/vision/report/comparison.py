"""Several classifiers compared: accuracy on rotated, scaled and shifted images. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from cvnlp.report import plots
from cvnlp.report.elements import Element, Figure, single_figure
from cvnlp.report.labels import label_room, short_label
from cvnlp.vision.report.insight import TRANSFORMATIONS

LEGEND_COLUMNS, LEGEND_LINE = 7, 0.7  # inches, of a line with the space around it
PANEL = 2.9  # inches


def comparison_section(learned: Mapping[str, Path], groups: Mapping[str, str], folder: Path) -> list[Element]:
    """A figure for each data set. `learned`: run -> its folder of insight; `groups`: run -> its data set."""
    styles = plots.line_styles(groups)
    return [
        _invariance(dataset, {run: learned[run] for run in groups if groups[run] == dataset}, styles, folder)
        for dataset in dict.fromkeys(groups.values())
    ]


def _invariance(dataset: str, runs: Mapping[str, Path], styles: plots.Styles, folder: Path) -> Figure:
    """A panel for every kind of transformation, and one for the worst case."""
    accuracies, worst = (_concatenated(runs, f"{name}.csv") for name in ("invariance", "worst_case"))
    title, path = f"Accuracy on transformed images of {dataset}", folder / f"invariance-{dataset}.png"
    height, width = max(3.1, 0.25 * len(worst) + 1.4), PANEL + label_room(map(short_label, runs)) / len(TRANSFORMATIONS)
    drawing, axes = plots.panels(len(TRANSFORMATIONS) + 1, title=title, width=width, height=height)
    for axis, (name, (label, unit)) in zip(axes, TRANSFORMATIONS.items(), strict=False):
        for run, rows in accuracies[accuracies["transformation"] == name].groupby("run", sort=False):
            axis.plot(
                rows["amount"],
                rows["accuracy"],
                **styles[str(run)],
                marker="o",
                markersize=3,
                label=short_label(str(run)),
            )
        axis.set(title=label, xlabel=unit, ylim=(0, 1.02))
    axes[0].set_ylabel("validation accuracy")
    _draw_worst(axes[-1], worst, styles)
    columns = min(LEGEND_COLUMNS, int(PANEL * len(axes) / (LEGEND_LINE + label_room(map(short_label, runs), free=0))))
    drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    plots.save(drawing, path)
    caption = (
        "Accuracy on validation images after a rotation, a scaling or a shift. Right: the share of images that are "
        "classified correctly after every rotation and shift of a grid."
    )
    return single_figure(title, caption, path, f"Line plots and bars of the accuracy of {', '.join(runs)}")


def _concatenated(runs: Mapping[str, Path], table: str) -> pd.DataFrame:
    """The tables of all runs, with a column `run`."""
    return pd.concat([pd.read_csv(folder / table).assign(run=run) for run, folder in runs.items()])


def _draw_worst(axis: Axes, table: pd.DataFrame, styles: plots.Styles) -> None:
    for row, (run, share) in enumerate(zip(table["run"], table["accuracy"], strict=True)):
        bars = axis.barh(row, share, color=styles[run]["color"])
        axis.bar_label(bars, [f"{share:.1%}"], padding=2, fontsize=8)
    grids = [
        f"±{grid.rotation:g}°, ±{grid.shift:g} px" for grid in table.drop_duplicates(["rotation", "shift"]).itertuples()
    ]
    axis.set(title="worst case", xlabel="accuracy, within " + "\nor ".join(grids), xlim=(0, 1.2))
    axis.set_yticks(range(len(table)), [short_label(run) for run in table["run"]])
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
