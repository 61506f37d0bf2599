"""Numbers that summarise robustness: accuracies with intervals, the area under the curve, and accuracy by class."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from cvnlp.params.option_types import number_key
from cvnlp.vision.attacks.collected import Collected
from cvnlp.vision.attacks.ensemble import Cost
from cvnlp.vision.metrics import wilson_interval

COLUMNS = ["method", "eps", "accuracy", "low", "high", "gradients", "forwards"]


def accuracy_table(found: Collected) -> pd.DataFrame:
    """A row per eps and attack: accuracy with its 95 % interval; gradients and classifications per image."""
    rows, count = [], len(found.clean)
    for (eps, name), stands in found.standing.items():
        low, high = wilson_interval(int(stands.sum()), count)
        cost = found.costs.get((eps, name), Cost())
        counts = (cost.gradients / count, cost.forwards / count)
        rows.append((name, number_key(eps), float(stands.mean()), low, high, *counts))
    return pd.DataFrame(rows, columns=COLUMNS)


def cost_table(found: Collected) -> pd.DataFrame:
    """Columns attack, gradients and forwards: per image, over all eps together."""
    count, names = len(found.clean), list(dict.fromkeys(name for _, name in found.costs))
    totals = [sum((cost for (_, of), cost in found.costs.items() if of == name), Cost()) for name in names]
    rows = [(name, cost.gradients / count, cost.forwards / count) for name, cost in zip(names, totals, strict=True)]
    return pd.DataFrame(rows, columns=["attack", "gradients", "forwards"])


def area_under_curve(clean: float, accuracies: Sequence[float], strengths: Sequence[float]) -> float:
    """The mean accuracy over all eps from 0 to the largest, by the trapezoidal rule."""
    return float(np.trapezoid([clean, *accuracies], [0.0, *strengths]) / strengths[-1])


def black_box_gain(found: Collected, gradient: Mapping[str, bool]) -> float:
    """The largest share of images, over all eps, that only an attack without gradients has broken.

    `gradient`: which attacks need one. Those without follow after all others, the baseline excepted.
    """
    gains = [0.0]
    for (eps, before), (_, name) in pairwise(found.standing):
        if gradient.get(before, False) and not gradient.get(name, True) and (eps, name) in found.standing:
            gains.append(float((found.standing[eps, before] & ~found.standing[eps, name]).mean()))
    return max(gains)


def accuracy_by_class(labels: np.ndarray, worst: Mapping[float, np.ndarray], classes: Sequence[str]) -> pd.DataFrame:
    """Columns class, eps (as exact text), images and accuracy: the worst case of each class at each eps."""
    rows = [
        (classes[label], number_key(eps), int((labels == label).sum()), float(stands[labels == label].mean()))
        for eps, stands in worst.items()
        for label in np.unique(labels)
    ]
    return pd.DataFrame(rows, columns=["class", "eps", "images", "accuracy"])
