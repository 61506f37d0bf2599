"""Scores of a classifier: pure functions of probabilities (N, classes) and labels (N,)."""

import math

import numpy as np
import pandas as pd

# name in a scores file -> what it is called in a table, and whether more is better
HEADLINE = {
    "accuracy": ("accuracy", True),
    "error_rate": ("error", False),
    "error_rate_low": ("error, 95 % from", False),
    "error_rate_high": ("to", False),
    "nll": ("negative log-likelihood", False),
    "ece": ("calibration error", False),
    "macro_f1": ("macro F1", True),
}
# the scores set beside published ones: name -> what it is called there, and by how much it is multiplied
COMPARED = {"accuracy": ("accuracy, %", 100.0), "error_rate": ("error, %", 100.0)}
EXAMPLES = "images"  # what a training counts


def summary(probabilities: np.ndarray, labels: np.ndarray, *, bins: int) -> dict[str, float]:
    """All scores in one flat table; the interval of the accuracy is Wilson's, at 95 %."""
    right = int((probabilities.argmax(1) == labels).sum())
    low, high = wilson_interval(right, len(labels))
    classes = per_class(probabilities, labels)
    return {
        "accuracy": right / len(labels),
        "accuracy_low": low,
        "accuracy_high": high,
        "error_rate": 1 - right / len(labels),  # not "error": DVC takes a metric of that name for a failure
        "error_rate_low": 1 - high,
        "error_rate_high": 1 - low,
        "nll": negative_log_likelihood(probabilities, labels),
        "ece": calibration_error(probabilities, labels, bins=bins),
        "macro_f1": float(classes["f1"].mean()),
        "mean_average_precision": float(classes["average_precision"].mean()),  # of the classes that have one
        "images": len(labels),
    }


def wilson_interval(successes: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The interval for a share (Wilson 1927), sound also near 0 and 1 where the usual one is not."""
    share, weight = successes / count, z * z / count
    middle = (share + weight / 2) / (1 + weight)
    reach = z * math.sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the pictures, in nats."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def calibration(probabilities: np.ndarray, labels: np.ndarray, *, bins: int) -> pd.DataFrame:
    """Per bin of confidence (equal widths): pictures, mean confidence, accuracy. Empty bins are left out."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = [
        {
            "bin": bin_,
            "images": int(chosen.sum()),
            "confidence": confidence[chosen].mean(),
            "accuracy": right[chosen].mean(),
        }
        for bin_ in range(bins)
        if (chosen := place == bin_).any()
    ]
    return pd.DataFrame(rows)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int) -> float:
    """Expected calibration error (Naeini et al. 2015): mean gap between confidence and accuracy."""
    table = calibration(probabilities, labels, bins=bins)
    gaps = (table["confidence"] - table["accuracy"]).abs() * table["images"]
    return float(gaps.sum() / len(labels))


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """How many pictures of class (row) were taken for class (column)."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def per_class(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Precision, recall, F1, average precision and pictures of every class; a ratio of nothing to nothing is 0."""
    counts = confusion(probabilities.argmax(1), labels, probabilities.shape[1])
    right = counts.diagonal().astype(float)
    predicted, present = counts.sum(0), counts.sum(1)
    precision, recall = _ratio(right, predicted), _ratio(right, present)
    f1 = _ratio(2 * precision * recall, precision + recall)
    average = average_precision(probabilities, labels)
    columns = {"precision": precision, "recall": recall, "f1": f1, "average_precision": average, "images": present}
    return pd.DataFrame(columns)


def average_precision(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The area under the curve of precision against recall of every class (classes,); NaN without a picture of it."""
    from sklearn.metrics import average_precision_score  # here, for the report needs this module but not its second

    areas = np.full(probabilities.shape[1], np.nan)
    for number in np.unique(labels):
        areas[number] = average_precision_score(labels == number, probabilities[:, number])
    return areas


def precision_recall(probabilities: np.ndarray, labels: np.ndarray, *, points: int) -> pd.DataFrame:
    """Precision against recall of every class (its number) that has a picture, as the threshold falls.

    At most `points` of each curve, spread evenly over it, both ends among them.
    """
    from sklearn.metrics import precision_recall_curve

    curves = []
    for number in np.unique(labels):
        precision, recall, _ = precision_recall_curve(
            labels == number, probabilities[:, number], drop_intermediate=True
        )
        kept = np.unique(np.linspace(len(recall) - 1, 0, points).round().astype(int))[::-1]
        curves.append(pd.DataFrame({"class": number, "recall": recall[kept], "precision": precision[kept]}))
    return pd.concat(curves, ignore_index=True)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=float), where=denominator > 0)
