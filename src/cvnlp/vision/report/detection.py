"""The report's section on sliding-window detection with a fully convolutional network. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.report import plots
from cvnlp.report.elements import Column, Element, Figure, Number, Numbers, Section, Table, Text, single_figure
from cvnlp.report.labels import drawable, short_label
from cvnlp.vision.report.class_tables import SHOWN_CLASSES, read_classes

CORRECT, WRONG, OBJECT, WINDOW = plots.COLOURS[2], plots.COLOURS[1], "#9A9A9A", plots.COLOURS[4]
CANVAS = 3.4  # inches
MISSING = "\N{WHITE SQUARE}"  # for a letter that no font has
SHOWN_LETTERS = 2  # of the name of a class predicted for a window
# curve in the table -> colour, line and prefix of its scores
CURVES = {
    "detected and classified": (0, "-", ""),
    "detected, any class": (2, "--", "class_agnostic_"),
    "without the background class": (1, ":", "without_background_"),
}


def detection_section(details: Path, folder: Path) -> Section:
    """`details` holds the tables and arrays; the figures go into `folder`."""
    title = "Sliding-window detection with a fully convolutional network"
    if (details / "not_convertible.txt").is_file():
        reason = (details / "not_convertible.txt").read_text(encoding="utf-8").strip()
        return Section(title, (Text(f"This network cannot be applied to a whole canvas in one pass: {reason}."),))
    return Section(title, tuple(_elements(details, files.read_json(details / "numbers.json"), folder)))


def _elements(details: Path, numbers: dict[str, float], folder: Path) -> Iterator[Element]:
    found, boxes = (read_classes(details / f"{name}.csv") for name in ("predictions", "ground_truth"))
    shown, canvases = (prepared.load_array(details, name) for name in ("shown", "canvases"))
    first, worst = slice(0, int(numbers["canvases_shown"])), slice(int(numbers["canvases_shown"]), None)
    yield Text(
        "As a fully convolutional network, the classifier predicts the class of every window of a canvas of "
        "test images in one pass. Of overlapping windows the most confident one is kept (non-maximum "
        "suppression). A detection is correct if its box overlaps that of an object by half (intersection over union) "
        "and its class is that of the object."
    )
    yield _cost(numbers)
    yield _scores(numbers)
    yield _detections(shown[first], canvases[first], found, boxes, folder / "detections.png", "Detections", numbers)
    window = (int(boxes["height"].iloc[0]), int(boxes["width"].iloc[0]))
    predictions = read_classes(details / "windows.csv")
    yield _window_predictions(shown[first], canvases[first], predictions, window, folder / "window_predictions.png")
    yield _precision_recall(pd.read_csv(details / "curves.csv"), numbers, folder / "precision_recall.png")
    yield _classes(read_classes(details / "classes.csv"))
    if len(shown[worst]):
        title = "Canvases with the most errors"
        yield _detections(shown[worst], canvases[worst], found, boxes, folder / "worst_detections.png", title, numbers)


def _cost(numbers: dict[str, float]) -> Numbers:
    return Numbers(
        "One pass compared with window by window",
        (
            Number("multiply-adds of one pass", numbers["multiply_adds"] / 1e6, "million", ".1f"),
            Number("multiply-adds window by window", numbers["multiply_adds_ratio"], "times as many", ".1f"),
            Number("largest difference of a probability", numbers["one_pass_difference"], "", ".1g"),
        ),
    )


def _scores(numbers: dict[str, float]) -> Table:
    """A row for the network with its background class, and one for its other classes alone."""
    rows = {"with the background class": "", "without it": "without_background_"}
    columns = {
        "precision": "precision",
        "recall": "recall",
        "precision, any class": "class_agnostic_precision",
        "recall, any class": "class_agnostic_recall",
        "mean average precision": "map",
    }
    scores = [
        Column(title, [numbers[f"{prefix}{name}"] for prefix in rows.values()], ".3f")
        for title, name in columns.items()
    ]
    caption = (
        f"Detections with a probability of at least {numbers['threshold']:g}. Any class: the box is correct, whatever "
        "the class. Without the background class: the probabilities of the other classes are renormalised."
    )
    return Table("Detection scores on the test canvases", (Column("network", rows), *scores), caption)


def _classes(table: pd.DataFrame) -> Table:
    ordered = table.sort_values("average_precision", kind="stable").head(SHOWN_CLASSES)
    columns: tuple[Column, ...] = (
        Column("class", ordered["class"]),
        Column("average precision", ordered["average_precision"].tolist(), ".3f"),
        Column("correct detections", ordered["correct"].tolist(), ",.0f"),
        Column("objects", ordered["objects"].tolist(), ",.0f"),
    )
    first = f", and only {SHOWN_CLASSES:,} of {len(table):,} classes" if len(table) > SHOWN_CLASSES else ""
    caption = f"The class with the lowest average precision first{first}."
    return Table("Detection scores by class on the test canvases", columns, caption)


def _detections(
    shown: np.ndarray,
    canvases: np.ndarray,
    found: pd.DataFrame,
    boxes: pd.DataFrame,
    path: Path,
    title: str,
    numbers: dict[str, float],
) -> Figure:
    drawing, axes = _canvases(shown, canvases, title)
    for axis, number in zip(axes, shown, strict=True):
        for box in boxes[boxes["canvas"] == number].to_dict("records"):
            plots.frame(axis, box, OBJECT, linestyle="--", linewidth=0.8)
        for box in found[found["canvas"] == number].to_dict("records"):
            label = f"{short_label(box['class'])} {box['score']:.0%}"
            plots.frame(axis, box, CORRECT if box["correct"] else WRONG, label=label, linewidth=1.4)
    handles = [
        Line2D([], [], color=CORRECT, label="correct detection"),
        Line2D([], [], color=WRONG, label="wrong detection"),
        Line2D([], [], color=OBJECT, linestyle="--", label="ground truth"),
    ]
    drawing.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    plots.save(drawing, path)
    caption = (
        f"Detections with a probability of at least {numbers['threshold']:g}: green boxes are correct, orange ones "
        "wrong. Dashed boxes are the ground truth."
    )
    return single_figure(title, caption, path, f"{len(shown)} canvases with predicted and true boxes")


def _canvases(shown: np.ndarray, canvases: np.ndarray, title: str) -> tuple[Drawing, list[Axes]]:
    height = CANVAS * canvases.shape[1] / canvases.shape[2] + 0.3
    drawing, axes = plots.panels(len(shown), title=title, width=CANVAS, height=height)
    for axis, number, canvas in zip(axes, shown, canvases, strict=True):
        plots.show(axis, canvas)
        axis.set_title(f"canvas {number}", fontsize=8)
        axis.axis("off")
    return drawing, axes


def _window_predictions(
    shown: np.ndarray, canvases: np.ndarray, predictions: pd.DataFrame, window: tuple[int, int], path: Path
) -> Figure:
    """`window`: its height and width."""
    title = "Predictions of all windows"
    drawing, axes = _canvases(shown, canvases // 3, title)  # dark enough to read the letters on it
    for axis, number in zip(axes, shown, strict=True):
        for row in predictions[predictions["canvas"] == number].to_dict("records"):
            middle = (row["left"] + (window[1] - 1) / 2, row["top"] + (window[0] - 1) / 2)
            letters, alpha = drawable(row["class"], MISSING)[:SHOWN_LETTERS], float(row["score"])
            axis.text(*middle, letters, color=WINDOW, alpha=alpha, ha="center", va="center", fontsize=8)
    plots.save(drawing, path)
    caption = (
        f"The predicted class (its first {SHOWN_LETTERS} letters) in the middle of each window that is not classified "
        "as background. The fainter the letters, the lower the probability."
    )
    return single_figure(title, caption, path, f"{len(shown)} darkened canvases with predicted classes")


def _precision_recall(curves: pd.DataFrame, numbers: dict[str, float], path: Path) -> Figure:
    title = "Precision and recall of the detections, test canvases"
    drawing, (axis,) = plots.panels(1, title=title, width=5.2, height=3.6)
    for name, (colour, line, prefix) in CURVES.items():
        rows = curves[curves["curve"] == name]
        axis.plot(rows["recall"], rows["precision"], line, color=plots.COLOURS[colour], label=name)
        axis.plot(*(numbers[f"{prefix}{key}"] for key in ("recall", "precision")), "o", color=plots.COLOURS[colour])
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axis.legend(loc="lower left")
    plots.save(drawing, path)
    caption = f"Every threshold from high (left) to low; the dots are at {numbers['threshold']:g}."
    return single_figure(title, caption, path, f"{len(CURVES)} precision-recall curves")
