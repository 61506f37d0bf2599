"""Evaluation of an image classifier on the test split: scores, tables and the worst mistakes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.evaluation import VisionEvaluate
from cvnlp.vision import metrics
from cvnlp.vision.batches import object_rows
from cvnlp.vision.inference import predict_split

CHUNK = 4096  # images in memory, for a digest
CURVE_POINTS = 101  # of the precision-recall curve of a class, at most


def evaluate(
    network: nn.Module, data: Path, facts: VisionFacts, options: VisionEvaluate, details: Path
) -> dict[str, float]:
    """Return the scores on the test split; those of a background class are apart.

    Writes into `details`: predictions.csv, classes.csv, curves.csv, confusion.csv, calibration.csv, mistakes.csv, the
    images of the mistakes, mistakes.npy, and test_set.json, which states what images of objects were scored.
    """
    probabilities, labels = predict_split(network, data, "test")
    classes, rows = facts.classes, object_rows(data, "test", facts)
    predictions = _predictions(probabilities, labels, classes)
    mistakes = _worst_mistakes(predictions, options.mistakes)
    tables = {
        "predictions": predictions,
        "mistakes": mistakes,
        "confusion": _confusion(probabilities, labels, classes),
        "calibration": metrics.calibration(probabilities[rows], labels[rows], bins=options.bins),
        **_class_tables(probabilities[rows], labels[rows], classes[: facts.background]),
    }
    for name, table in tables.items():
        files.write_table(details / f"{name}.csv", table)
    images = prepared.load_array(data, "test_images")[mistakes["index"].to_numpy()]
    prepared.save_array(details, "mistakes", images)
    prepared.save_test_set(details, len(rows), _contents(data, rows))
    return metrics.summary(probabilities, labels, bins=options.bins, background=facts.background)


def _contents(data: Path, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Pixels and labels of these test images, some at a time."""
    images, labels = (prepared.load_array(data, f"test_{name}") for name in ("images", "labels"))
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        yield images[part]
        yield labels[part].astype(np.int64)


def _confusion(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> pd.DataFrame:
    counts = metrics.confusion(probabilities.argmax(1), labels, len(classes))
    return pd.DataFrame(counts, columns=classes)


def _class_tables(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> dict[str, pd.DataFrame]:
    """Scores and precision-recall curves of these classes, the first ones."""
    per_class = metrics.per_class(probabilities, labels).head(len(classes))
    per_class.insert(0, "class", classes)
    curves = metrics.precision_recall(probabilities, labels, points=CURVE_POINTS)
    curves["class"] = np.array(classes)[curves["class"]]
    return {"classes": per_class, "curves": curves}


def _predictions(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> pd.DataFrame:
    predicted, names = probabilities.argmax(1), np.array(classes)
    return pd.DataFrame(
        {
            "index": np.arange(len(labels)),
            "actual": names[labels],
            "predicted": names[predicted],
            "confidence": probabilities.max(1),
            "probability_of_actual": probabilities[np.arange(len(labels)), labels],
        }
    )


def _worst_mistakes(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """The misclassified images with the lowest probabilities of their own class."""
    wrong = table[table["actual"] != table["predicted"]]
    return wrong.sort_values(["probability_of_actual", "index"]).head(count)
