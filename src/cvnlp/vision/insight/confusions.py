"""Which classes a classifier confuses on the validation split, and how reliable its confidence is for each class.

The validation split has selected the epoch whose weights were kept: only `evaluate` scores data that was never used.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.insight import VisionInsight
from cvnlp.vision import metrics
from cvnlp.vision.batches import object_rows
from cvnlp.vision.inference import predict_split


def analyse_confusions(
    network: nn.Module, data: Path, facts: VisionFacts, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Write the most frequent confusions, with their images, and the reliability by class; return their extremes.

    Of the images of objects, which a network may also confuse with the background.
    """
    rows = object_rows(data, "validation", facts)
    probabilities, labels = (each[rows] for each in predict_split(network, data, "validation"))
    sizes = {"pairs": options.confused_pairs, "examples": options.images_per_pair}
    pairs = confusions(probabilities, labels, facts.classes, **sizes)
    pairs["index"] = rows[pairs["index"].to_numpy(dtype=int)]
    table = reliability(probabilities, labels, facts.classes[: facts.background], bins=options.bins)
    files.write_table(folder / "confusions.csv", pairs)
    files.write_table(folder / "reliability.csv", table)
    images = prepared.load_array(data, "validation_images")[pairs["index"].to_numpy(dtype=int)]
    prepared.save_array(folder, "confusions", images)
    return {
        "largest_confusion": int(pairs["times"].max()) if len(pairs) else 0,
        "lowest_precision": float(table["accuracy"].min()),
        "largest_calibration_gap": float(table["gap"].abs().max()),
    }


def confusions(
    probabilities: np.ndarray, labels: np.ndarray, classes: list[str], *, pairs: int, examples: int
) -> pd.DataFrame:
    """The most frequent `pairs` (actual, predicted), each with its `examples` most confident misclassified images.

    A row per image: actual, predicted, times (the pair occurs), share (of the actual class), index, confidence.
    """
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    counts = metrics.confusion(predicted, labels, len(classes))
    wrong = counts * (1 - np.eye(len(classes), dtype=int))
    rows = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:pairs]:
        actual, other = divmod(int(place), len(classes))
        chosen = np.flatnonzero((labels == actual) & (predicted == other) & (actual != other))
        most_confident = chosen[np.argsort(-confidence[chosen], kind="stable")][:examples]
        rows += [
            {
                "actual": classes[actual],
                "predicted": classes[other],
                "times": wrong[actual, other],
                "share": wrong[actual, other] / counts[actual].sum(),
                "index": index,
                "confidence": confidence[index],
            }
            for index in most_confident
        ]
    return pd.DataFrame(rows, columns=["actual", "predicted", "times", "share", "index", "confidence"])


def reliability(probabilities: np.ndarray, labels: np.ndarray, classes: list[str], *, bins: int) -> pd.DataFrame:
    """A row for each of `classes`, as the predicted one: number of predictions, mean confidence, accuracy with its 95 %
    interval (Wilson).

    `gap` is confidence minus accuracy, `calibration_error` the same by bins of confidence. The cells of a class that is
    never predicted are empty.
    """
    predicted = probabilities.argmax(1)
    rows = [
        _reliability(probabilities[predicted == one], labels[predicted == one], bins) for one in range(len(classes))
    ]
    return pd.DataFrame({"class": classes}).join(pd.DataFrame(rows))


def _reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> dict[str, float]:
    if not len(labels):
        return {"predictions": 0}
    correct = probabilities.argmax(1) == labels
    low, high = metrics.wilson_interval(int(correct.sum()), len(labels))
    confidence = float(probabilities.max(1).mean())
    return {
        "predictions": len(labels),
        "confidence": confidence,
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "gap": confidence - float(correct.mean()),
        "calibration_error": metrics.calibration_error(probabilities, labels, bins=bins),
    }
