"""The report's confusion matrix, with pictures of its cells. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.report import heat_maps
from cvnlp.report.elements import ConfusionMatrix, Picture, single_figure
from cvnlp.report.heat_maps import HeatMap, Style
from cvnlp.report.labels import short_label
from cvnlp.vision.report.class_tables import read_classes

SHOWN_CONFUSED, SHOWN_CORRECT = 8, 4  # pictures of a cell off the diagonal, and on it


def confusion_matrix(details: Path, data: Path, path: Path) -> ConfusionMatrix:
    """Counts of the test images by true and predicted class, and the pictures of each cell."""
    table = pd.read_csv(details / "confusion.csv")
    classes, counts = list(table.columns), table.to_numpy()
    _draw(counts, classes, path)
    title, alternative = "Confusion matrix", f"Heat map of the confusion matrix of {len(classes)} classes"
    caption = (
        "The number of test images of each true class (row) by predicted class (column); misclassified images are off "
        "the diagonal. Only this matrix includes images of a background class."
    )
    figure = single_figure(title, caption, path, alternative)
    return ConfusionMatrix(figure, tuple(map(short_label, classes)), counts, _pictures(details, classes, data))


def _pictures(details: Path, classes: list[str], data: Path) -> dict[tuple[int, int], tuple[Picture, ...]]:
    """Of each cell the most confident mistakes, or the least confident correct predictions."""
    table, images = read_classes(details / "predictions.csv"), prepared.load_array(data, "test_images")
    numbers, found = {name: number for number, name in enumerate(classes)}, {}
    for (actual, predicted), rows in table.groupby(["actual", "predicted"], sort=False):
        correct = actual == predicted
        shown = rows.sort_values("confidence", ascending=correct, kind="stable")
        shown = shown.head(SHOWN_CORRECT if correct else SHOWN_CONFUSED)
        chosen = zip(images[shown["index"].to_numpy()], shown["confidence"], strict=True)
        pictures = tuple(Picture(image, f"{confidence:.0%}") for image, confidence in chosen)
        found[numbers[str(actual)], numbers[str(predicted)]] = pictures
    return dict(sorted(found.items()))


def _draw(counts: np.ndarray, classes: list[str], path: Path) -> None:
    labels = [short_label(name) for name in classes]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    texts = {place: str(counts[place]) for place in zip(*np.nonzero(counts), strict=True)}
    heat_maps.draw(
        [HeatMap(shares, labels, labels, texts)],
        path,
        title="Confusion matrix, test split",
        style=Style(),
        row_axis="true class",
        column_axis="predicted class",
    )
