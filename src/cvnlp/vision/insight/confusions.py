"""Which mistakes a classifier makes on the validation split, and for which classes its confidence can be trusted.

The validation split chose the epoch whose weights were kept: what new pictures give is evaluate's to say.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from cvnlp.vision import metrics
from cvnlp.vision.insight.layers import count, pictures

BATCH = 512


@torch.inference_mode()
def predict(network: nn.Module, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Class probabilities float32 (N, classes) and labels int64 (N,) of the validation split."""
    rows = np.arange(count(data, "validation"))
    batches = [pictures(data, "validation", rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
    return (
        torch.cat([network(images).float().softmax(1) for images, _ in batches]).cpu().numpy(),
        torch.cat([labels for _, labels in batches]).cpu().numpy(),
    )


def confusions(
    probabilities: np.ndarray, labels: np.ndarray, classes: list[str], *, pairs: int, examples: int
) -> pd.DataFrame:
    """The most frequent `pairs` (actual, predicted), each with the rows of its `examples` surest mistakes.

    A row per picture: actual, predicted, times, share (of the actual class), index, confidence.
    """
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    counts = metrics.confusion(predicted, labels, len(classes))
    wrong = counts * (1 - np.eye(len(classes), dtype=int))
    rows = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:pairs]:
        actual, taken = divmod(int(place), len(classes))
        chosen = np.flatnonzero((labels == actual) & (predicted == taken) & (actual != taken))
        surest = chosen[np.argsort(-confidence[chosen], kind="stable")][:examples]
        rows += [
            {
                "actual": classes[actual],
                "predicted": classes[taken],
                "times": wrong[actual, taken],
                "share": wrong[actual, taken] / counts[actual].sum(),
                "index": index,
                "confidence": confidence[index],
            }
            for index in surest
        ]
    return pd.DataFrame(rows, columns=["actual", "predicted", "times", "share", "index", "confidence"])


def reliability(probabilities: np.ndarray, labels: np.ndarray, classes: list[str], *, bins: int) -> pd.DataFrame:
    """A row per class that the network names: how often, how sure, how often rightly (Wilson's 95 % interval).

    `gap` is confidence above accuracy; `calibration_error` the same by bins of confidence. Never named: empty.
    """
    predicted = probabilities.argmax(1)
    rows = [
        _reliability(probabilities[predicted == one], labels[predicted == one], bins) for one in range(len(classes))
    ]
    return pd.DataFrame({"class": classes}).join(pd.DataFrame(rows))


def _reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> dict[str, float]:
    if not len(labels):
        return {"named": 0}
    right = probabilities.argmax(1) == labels
    low, high = metrics.wilson_interval(int(right.sum()), len(labels))
    confidence = float(probabilities.max(1).mean())
    return {
        "named": len(labels),
        "confidence": confidence,
        "accuracy": float(right.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "gap": confidence - float(right.mean()),
        "calibration_error": metrics.calibration_error(probabilities, labels, bins=bins),
    }
