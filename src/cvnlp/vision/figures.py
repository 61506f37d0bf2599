"""What the report shows of classifiers: figures drawn from the tables of the stages. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvnlp import plots, prepared

TITLE = "Image classification"
LEARNING = plots.Learning("validation_accuracy", "validation accuracy", "Validation accuracy after every epoch")
ROBUSTNESS = plots.Robustness(
    strength="eps",
    metric="accuracy",
    strength_label="eps: largest change of a pixel (full range 1)",
    metric_label="test accuracy",
    caption="Accuracy under attack, beside random offsets of the same size",
)


def draw_run(details: Path, examples: Path, folder: Path) -> list[str]:
    """The section of one run, as Markdown; its figures go into `folder` and are linked by name."""
    classes = pd.read_csv(details / "classes.csv", dtype={"class": str}, keep_default_na=False)
    _draw_confusion(pd.read_csv(details / "confusion.csv").to_numpy(), list(classes["class"]), folder / "confusion.png")
    _draw_calibration(pd.read_csv(details / "calibration.csv"), folder / "calibration.png")
    lines = ["![Confusion matrix]({folder}/confusion.png) ![Calibration]({folder}/calibration.png)", ""]
    mistakes = pd.read_csv(details / "mistakes.csv", dtype=NAMES, keep_default_na=False)
    if len(mistakes):
        _draw_mistakes(prepared.load_array(details, "mistakes"), mistakes, folder / "mistakes.png")
        lines += ["The worst mistakes:", "", "![Worst mistakes]({folder}/mistakes.png)", ""]
    if (examples / "clean.npy").is_file():
        eps = _draw_flips({name: prepared.load_array(examples, name) for name in FLIP}, folder / "flips.png")
        lines += [f"Right before, wrong after PGD at eps {eps:g}:", "", "![Flipped by PGD]({folder}/flips.png)", ""]
    return [*lines, "Per class:", "", classes.to_markdown(index=False, floatfmt=".3f"), ""]


NAMES = {"actual": str, "predicted": str}  # a class may be called NA
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
