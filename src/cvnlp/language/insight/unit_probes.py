"""Units of a network that follow what can be counted in a text: found on one half of it, judged on the other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

CLEAR = 0.5  # a correlation, without its sign, from which on a unit is shown: a quarter of the variance


def find_units(states: np.ndarray, features: Mapping[str, np.ndarray], fresh: np.ndarray) -> pd.DataFrame:
    """For each feature (B, T) the unit, of states (B, T, U), whose correlation with it is strongest on the first half
    of the rows, and that correlation on the second half, which did not choose it. `before` is the same of the states
    `fresh`, of the network before training, with a unit of its own.
    """
    rows = []
    for name, values in features.items():
        unit, chosen, judged = _strongest(states, values)
        rows.append({"feature": name, "unit": unit, "chosen": chosen, "judged": judged})
        rows[-1]["before"] = _strongest(fresh, values)[2]
    return pd.DataFrame(rows, columns=["feature", "unit", "chosen", "judged", "before"])


def _strongest(states: np.ndarray, values: np.ndarray) -> tuple[int, float, float]:
    half = len(states) // 2
    chosen = correlations(states[:half], values[:half])
    unit = int(np.abs(chosen).argmax())
    judged = correlations(states[half:, :, unit : unit + 1], values[half:])
    return unit, float(chosen[unit]), float(judged[0])


def correlations(states: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Pearson's r of each unit (B, T, U) with values (B, T): (U,); 0 where one of the two never changes."""
    states, values = states.reshape(-1, states.shape[-1]).astype(float), values.ravel() - values.mean()
    states = states - states.mean(0)
    scale = np.linalg.norm(states, axis=0) * np.linalg.norm(values)
    return np.divide(values @ states, scale, out=np.zeros(len(scale)), where=scale > 1e-9)
