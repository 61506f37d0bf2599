"""Scores of an image classifier: pure functions of probabilities (N, classes) and labels (N,)."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

# score -> its name in tables, and whether higher is better
HEADLINE = {
    "accuracy": ("accuracy", True),
    "error_rate": ("error", False),
    "error_rate_low": ("error, 95 % from", False),
    "error_rate_high": ("to", False),
    "nll": ("negative log-likelihood", False),
    "ece": ("calibration error", False),
    "macro_f1": ("macro F1", True),
    "background_recall": ("recall of the background", True),
}
METRICS = ("accuracy", "nll", "ece", "macro_f1", "background_recall")  # of DVC and MLflow
# scores compared with published ones -> the name there, and a factor
COMPARED = {"accuracy": ("accuracy, %", 100.0), "error_rate": ("error, %", 100.0)}
DIVERGED_NLL = 20.0  # nats per image, as of guessing among 10^8 classes
EXAMPLES = "images"  # the unit in which training is counted


def summary(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int, background: int | None = None
) -> dict[str, float]:
    """All scores; the bounds of accuracy and error rate are Wilson's 95 % interval.

    They are of the images of objects, so that networks with and without a `background` class can be compared; images of
    that class, the last one, have scores of their own.
    """
    if background is None:
        return _summary(probabilities, labels, bins=bins, classes=probabilities.shape[1])
    objects = labels != background
    found = probabilities[~objects].argmax(1) == background
    scores = _summary(probabilities[objects], labels[objects], bins=bins, classes=background)
    return scores | {"background_recall": float(found.mean()), "background_images": len(found)}


def _summary(probabilities: np.ndarray, labels: np.ndarray, *, bins: int, classes: int) -> dict[str, float]:
    """Means over classes are over the first `classes`."""
    correct = int((probabilities.argmax(1) == labels).sum())
    low, high = wilson_interval(correct, len(labels))
    by_class = per_class(probabilities, labels).head(classes)
    return {
        "accuracy": correct / len(labels),
        "accuracy_low": low,
        "accuracy_high": high,
        "error_rate": (len(labels) - correct)
        / len(labels),  # not "error": DVC would show a metric of that name as a failure
        "error_rate_low": 1 - high,
        "error_rate_high": 1 - low,
        "nll": negative_log_likelihood(probabilities, labels),
        "ece": calibration_error(probabilities, labels, bins=bins),
        "macro_f1": float(by_class["f1"].mean()),
        "mean_average_precision": float(by_class["average_precision"].mean()),  # without classes that have none
        "images": len(labels),
    }


def diverged(scores: Mapping[str, float]) -> bool:
    """Whether the loss is far above that of guessing, which is the logarithm of the number of classes."""
    return scores.get("nll", 0.0) > DIVERGED_NLL


def wilson_interval(successes: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Confidence interval of a share (Wilson 1927), also valid near 0 and 1; `z` = 1.96 gives 95 %.

    SciPy's has more digits of z: the scores would change from the ninth decimal place on.
    """
    share, weight = successes / count, z * z / count
    centre = (share + weight / 2) / (1 + weight)
    half_width = z * math.sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    low = centre - half_width if successes else 0.0  # exactly: the difference is rounded
    high = centre + half_width if successes < count else 1.0
    return low, high


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the images, in nats; probabilities below 1e-12 count as 1e-12."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, 1e-12)).mean()) + 0.0  # 0 and not -0 for a perfect classifier


def calibration(probabilities: np.ndarray, labels: np.ndarray, *, bins: int) -> pd.DataFrame:
    """Images, mean confidence and accuracy by bin of confidence; bins have equal widths, empty ones are left out."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = [
        {
            "bin": bin_,
            "images": int(chosen.sum()),
            "confidence": confidence[chosen].mean(),
            "accuracy": correct[chosen].mean(),
        }
        for bin_ in range(bins)
        if (chosen := place == bin_).any()
    ]
    return pd.DataFrame(rows)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int) -> float:
    """Expected calibration error (Naeini et al. 2015): mean difference between confidence and accuracy of the bins."""
    table = calibration(probabilities, labels, bins=bins)
    gaps = (table["confidence"] - table["accuracy"]).abs() * table["images"]
    return float(gaps.sum() / len(labels))


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrix int (classes, classes): images of the class (row) predicted as the class (column)."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def per_class(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Precision, recall, F1, average precision and number of images of every class; 0 / 0 counts as 0."""
    counts = confusion(probabilities.argmax(1), labels, probabilities.shape[1])
    correct = counts.diagonal().astype(float)
    predicted, present = counts.sum(0), counts.sum(1)
    precision, recall = _ratio(correct, predicted), _ratio(correct, present)
    f1 = _ratio(2 * precision * recall, precision + recall)
    average = average_precision(probabilities, labels)
    columns = {"precision": precision, "recall": recall, "f1": f1, "average_precision": average, "images": present}
    return pd.DataFrame(columns)


def average_precision(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average precision (classes,): area under the precision-recall curve; NaN for a class without images."""
    from sklearn.metrics import average_precision_score  # here: takes a second, and the report does not need it

    areas = np.full(probabilities.shape[1], np.nan)
    for number in np.unique(labels):
        areas[number] = average_precision_score(labels == number, probabilities[:, number])
    return areas


def precision_recall(probabilities: np.ndarray, labels: np.ndarray, *, points: int) -> pd.DataFrame:
    """Precision-recall curves of all classes with images: columns class (its number), recall, precision.

    Each has at most `points` evenly spaced points, with both ends.
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
