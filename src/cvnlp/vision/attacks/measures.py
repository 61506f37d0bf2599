"""Numbers that summarise robustness: accuracies with intervals, the area under the curve, and accuracy by class."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cvnlp.params.option_types import number_key
from cvnlp.vision.metrics import wilson_interval

WORST = "worst_case"
COLUMNS = ["method", "eps", "accuracy", "low", "high", "gradients", "forwards"]
Masks = Mapping[tuple[float, str], np.ndarray]  # eps and attack -> bool (N,), the images that it leaves standing


def accuracy_table(standing: Masks, costs: Mapping[tuple[float, str], tuple[float, float]]) -> pd.DataFrame:
    """A row per eps and attack: accuracy with its 95 % interval, gradients and classifications per image."""
    rows = []
    for (eps, name), stands in standing.items():
        low, high = wilson_interval(int(stands.sum()), len(stands))
        rows.append((name, number_key(eps), float(stands.mean()), low, high, *costs.get((eps, name), (0.0, 0.0))))
    return pd.DataFrame(rows, columns=COLUMNS)


def area_under_curve(clean: float, accuracies: Sequence[float], strengths: Sequence[float]) -> float:
    """The mean accuracy over all eps from 0 to the largest, by the trapezoidal rule."""
    return float(np.trapezoid([clean, *accuracies], [0.0, *strengths]) / strengths[-1])


def black_box_gain(standing: Masks, gradient: Mapping[str, bool]) -> float:
    """The largest share of images, over all eps, that only an attack without gradients has broken.

    Attacks are in the order in which they were made; the one before the first without gradients counts for all before.
    """
    gains = [0.0]
    names = list(dict.fromkeys(name for _, name in standing))
    for eps in dict.fromkeys(eps for eps, _ in standing):
        made = [name for name in names if name in gradient]
        for before, name in zip(made, made[1:], strict=False):
            if not gradient[name] and gradient[before]:
                gains.append(float((standing[eps, before] & ~standing[eps, name]).mean()))
    return max(gains)


def accuracy_by_class(labels: np.ndarray, worst: Mapping[float, np.ndarray], classes: Sequence[str]) -> pd.DataFrame:
    """Columns class, eps (as exact text), images and accuracy: the worst case of each class at each eps."""
    rows = [
        (classes[label], number_key(eps), int((labels == label).sum()), float(stands[labels == label].mean()))
        for eps, stands in worst.items()
        for label in np.unique(labels)
    ]
    return pd.DataFrame(rows, columns=["class", "eps", "images", "accuracy"])
