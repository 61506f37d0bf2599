"""What the report shows of a classifier that reads whole canvases. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.report import plots

RIGHT, WRONG, THERE = plots.COLOURS[2], plots.COLOURS[1], "#9A9A9A"
LETTERS = 2  # of a class's name in the picture of all windows
# colour, line and the scores' prefix of each
CURVES = {
    "found and named": (0, "-", ""),
    "found": (2, "--", "located_"),
    "without background": (1, ":", "without_background_"),
}


def draw_reading(details: Path, folder: Path) -> list[str]:
    """The section as Markdown; `details` holds the tables and arrays, the figures go into `folder`."""
    lines = ["#### Reading whole canvases", ""]
    if (details / "unreadable.txt").is_file():
        reason = (details / "unreadable.txt").read_text(encoding="utf-8").strip()
        return [*lines, f"This network cannot read a canvas in one pass: {reason}.", ""]
    numbers = files.read_json(details / "numbers.json")
    tables = {name: _table(details / f"{name}.csv") for name in ("found", "boxes", "classes", "curves", "everywhere")}
    shown, canvases = (prepared.load_array(details, name) for name in ("shown", "canvases"))
    first = slice(0, numbers["first"])
    worst = slice(numbers["first"], None)
    _draw_boxes(shown[first], canvases[first], tables["found"], tables["boxes"], folder / "canvases.png")
    window = (int(tables["boxes"]["height"].iloc[0]), int(tables["boxes"]["width"].iloc[0]))
    _draw_everywhere(shown[first], canvases[first], tables["everywhere"], window, folder / "everywhere.png")
    _draw_curves(tables["curves"], numbers, folder / "precision_recall.png")
    lines += [*_text(numbers), *_classes(tables["classes"])]
    if len(shown[worst]):
        _draw_boxes(shown[worst], canvases[worst], tables["found"], tables["boxes"], folder / "worst_canvases.png")
        lines += ["The canvases that were read worst:", "", "![Read worst]({folder}/worst_canvases.png)", ""]
    return lines


def _table(path: Path) -> pd.DataFrame:
    """A class may be called NA."""
    return pd.read_csv(path, dtype={"class": str}, keep_default_na=False)


def _text(numbers: dict[str, float]) -> list[str]:
    return [
        "Made fully convolutional, the network answers for every window of a canvas in one pass, with "
        f"{numbers['multiply_adds'] / 1e6:.1f} million multiplications, {numbers['multiply_adds_ratio']:.1f} times "
        f"fewer than window by window (largest difference of a probability: {numbers['difference']:.1g}). Of windows "
        "that overlap the surest stays. The canvases are of validation pictures; a box is right if it overlaps that "
        "of an object by half (intersection over union) and names its class.",
        "",
        _score_table(numbers).to_markdown(index=False, floatfmt=".3f"),
        "",
        f"What it finds on the first canvases, from a probability of {numbers['threshold']:g} on: dashed is there, "
        "green is right, orange is wrong:",
        "",
        "![Canvases and what is found on them]({folder}/canvases.png)",
        "",
        f"What it sees everywhere: the class (its first {LETTERS} letters) of each window that it does not take for "
        "background, at the window's middle, the darker the less sure:",
        "",
        "![What it sees everywhere]({folder}/everywhere.png)",
        "",
        "Precision and recall as the threshold falls (the marks: at the chosen one):",
        "",
        "![Precision and recall]({folder}/precision_recall.png)",
        "",
    ]


def _score_table(numbers: dict[str, float]) -> pd.DataFrame:
    """A row with the class background, one with the same network's other classes alone."""
    rows = {"with the class background": "", "its other classes alone": "without_background_"}
    columns = {
        "precision": "precision",
        "recall": "recall",
        "found, by whatever name: precision": "located_precision",
        "recall ": "located_recall",
        "mean AP": "map",
    }
    return pd.DataFrame(
        [
            {"": name} | {title: numbers[f"{prefix}{key}"] for title, key in columns.items()}
            for name, prefix in rows.items()
        ]
    )


def _classes(table: pd.DataFrame) -> list[str]:
    worst = table.sort_values("average_precision", kind="stable").iloc[0]
    return [
        f"Least well read is {worst['class']}: average precision {worst['average_precision']:.3f}, "
        f"{worst['right']:.0f} of {worst['objects']:.0f} found and named.",
        "",
    ]


def _draw_boxes(shown: np.ndarray, canvases: np.ndarray, found: pd.DataFrame, boxes: pd.DataFrame, path: Path) -> None:
    figure, axes = _canvases(shown, canvases)
    for axis, number in zip(axes, shown, strict=True):
        for box in boxes[boxes["canvas"] == number].to_dict("records"):
            plots.frame(axis, box, THERE, linestyle="--", linewidth=0.8)
        for box in found[found["canvas"] == number].to_dict("records"):
            label = f"{box['class']} {box['score']:.0%}"
            plots.frame(axis, box, RIGHT if box["right"] else WRONG, label=label, linewidth=1.4)
    plots.save(figure, path)


def _canvases(shown: np.ndarray, canvases: np.ndarray) -> tuple[Figure, list[Axes]]:
    figure, axes = plots.panels(len(shown), width=3.4, height=3.4 * canvases.shape[1] / canvases.shape[2] + 0.3)
    for axis, number, canvas in zip(axes, shown, canvases, strict=True):
        plots.show(axis, canvas)
        axis.set_title(f"canvas {number}", fontsize=8, fontweight="normal")
        axis.axis("off")
    return figure, axes


def _draw_everywhere(
    shown: np.ndarray, canvases: np.ndarray, seen: pd.DataFrame, window: tuple[int, int], path: Path
) -> None:
    figure, axes = _canvases(shown, canvases // 3)  # dark enough to read what stands on it
    for axis, number in zip(axes, shown, strict=True):
        for row in seen[seen["canvas"] == number].to_dict("records"):
            middle = (row["left"] + (window[1] - 1) / 2, row["top"] + (window[0] - 1) / 2)
            colour, alpha = plots.COLOURS[4], float(row["score"])
            axis.text(*middle, row["class"][:LETTERS], color=colour, alpha=alpha, ha="center", va="center", fontsize=8)
    plots.save(figure, path)


def _draw_curves(curves: pd.DataFrame, numbers: dict[str, float], path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=5.2, height=3.6)
    for name, (colour, line, prefix) in CURVES.items():
        rows = curves[curves["curve"] == name]
        axis.plot(rows["recall"], rows["precision"], line, color=plots.COLOURS[colour], label=name)
        axis.plot(*(numbers[f"{prefix}{key}"] for key in ("recall", "precision")), "o", color=plots.COLOURS[colour])
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axis.legend(loc="lower left")
    plots.save(figure, path)
