"""What the report shows of classifiers: figures drawn from the tables of the stages. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.report import plots

TITLE = "Image classification"
LEARNING = plots.Learning("validation_accuracy", "validation accuracy", "Validation accuracy after every epoch")
ROBUSTNESS = plots.Robustness(
    strength="eps",
    metric="accuracy",
    strength_label="eps: largest change of a pixel (full range 1)",
    metric_label="test accuracy",
    caption="Accuracy under attack, beside random offsets of the same size",
)
NAMED_ALL, NAMED_WORST = 10, 8  # classes whose curves are named: all of so many, or so many of more


def draw_run(details: Path, examples: Path, folder: Path) -> list[str]:
    """The section of one run, as Markdown; its figures go into `folder` and are linked by name."""
    classes = read_named(details / "classes.csv")
    _draw_confusion(pd.read_csv(details / "confusion.csv").to_numpy(), list(classes["class"]), folder / "confusion.png")
    _draw_calibration(pd.read_csv(details / "calibration.csv"), folder / "calibration.png")
    _draw_curves(read_named(details / "curves.csv"), classes, folder / "curves.png")
    lines = ["![Confusion matrix]({folder}/confusion.png) ![Calibration]({folder}/calibration.png)", ""]
    lines += ["Each class against all others, for every probability from which a picture may be taken for it:", ""]
    lines += ["![Precision and recall]({folder}/curves.png)", ""]
    mistakes = read_named(details / "mistakes.csv")
    if len(mistakes):
        _draw_mistakes(prepared.load_array(details, "mistakes"), mistakes, folder / "mistakes.png")
        lines += ["The worst mistakes:", "", "![Worst mistakes]({folder}/mistakes.png)", ""]
    if (examples / "clean.npy").is_file():
        eps = _draw_flips({name: prepared.load_array(examples, name) for name in FLIP}, folder / "flips.png")
        lines += [f"Right before, wrong after PGD at eps {eps:g}:", "", "![Flipped by PGD]({folder}/flips.png)", ""]
    shown = classes.astype(object).where(classes.notna(), None)
    return [*lines, "Per class:", "", shown.to_markdown(index=False, floatfmt=".3f"), ""]


def read_named(path: Path) -> pd.DataFrame:
    """A table with names of classes: one may be called NA, only an empty cell is none."""
    return pd.read_csv(path, dtype=NAMES, keep_default_na=False, na_values=[""])


NAMES = {"class": str, "actual": str, "predicted": str}
FLIP = ("clean", "attacked", "before", "after", "eps")


def _draw_confusion(counts: np.ndarray, classes: list[str], path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=0.42 * len(classes) + 1.2, height=0.42 * len(classes) + 0.9)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axis.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=8)
    axis.set_xticks(range(len(classes)), classes, rotation=0 if max(map(len, classes)) < 3 else 90)
    axis.set_yticks(range(len(classes)), classes)
    axis.grid(False)
    axis.set(title="confusion", xlabel="taken for", ylabel="is")
    plots.save(figure, path)


def _draw_calibration(table: pd.DataFrame, path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=4.4, height=4.2)
    axis.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1, label="perfect")
    sizes = 12 + 160 * np.sqrt(table["pictures"] / table["pictures"].sum())
    axis.scatter(table["confidence"], table["accuracy"], s=sizes, color=plots.COLOURS[0], label="bins (area: pictures)")
    axis.set(title="calibration", xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.05))
    axis.legend(loc="upper left")
    plots.save(figure, path)


def _draw_curves(curves: pd.DataFrame, classes: pd.DataFrame, path: Path) -> None:
    """Precision against recall, the worst classes first; of more than ten, those that do not stand out are grey."""
    average = classes.dropna(subset="average_precision").set_index("class")["average_precision"].sort_values()
    worst = list(average.index[: len(average) if len(average) <= NAMED_ALL else NAMED_WORST])
    styles, points = plots.line_styles(worst), dict(iter(curves.groupby("class")))
    figure, (axis,) = plots.panels(1, width=5.6, height=4.2)
    for name in average.index[len(worst) :]:
        axis.plot(points[name]["recall"], points[name]["precision"], color="#CCCCCC", linewidth=0.6)
    for name in reversed(worst):
        label = f"{name}: {average[name]:.3f}"
        axis.plot(points[name]["recall"], points[name]["precision"], **styles[name], label=label)
    shown = (min(0.9, max(0.0, 1 - 3 * (1 - average.iloc[0]) ** 0.5)), 1.005)  # the corner of the worst one's area
    axis.set(title="precision and recall", xlabel="recall", ylabel="precision", xlim=shown, ylim=shown)
    handles, labels = axis.get_legend_handles_labels()
    title = "average precision" if len(worst) == len(average) else "average precision, the worst"
    axis.legend(handles[::-1], labels[::-1], title=title, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    plots.save(figure, path)


def _draw_mistakes(images: np.ndarray, table: pd.DataFrame, path: Path) -> None:
    titles = [f"{row.actual} as {row.predicted} ({row.confidence:.0%})" for row in table.itertuples()]
    plots.draw_pictures(plots.in_rows(list(images), 6), plots.in_rows(titles, 6), path)


def _draw_flips(flips: Mapping[str, Any], path: Path) -> float:
    """Clean, perturbation (grey is no change, full range is eps) and attacked, one column a picture; returns eps."""
    eps = float(flips["eps"])
    perturbation = (flips["attacked"] - flips["clean"]) / (2 * eps) + 0.5
    names = [
        [str(name) for name in flips["before"]],
        ["" for _ in flips["before"]],
        [str(name) for name in flips["after"]],
    ]
    titles = [
        [f"{what} {name}".strip() for name in line] for what, line in zip(("reads", "+", "reads"), names, strict=True)
    ]
    plots.draw_pictures([list(flips["clean"]), list(perturbation), list(flips["attacked"])], titles, path)
    return eps
