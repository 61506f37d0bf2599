"""Probe single units: which one follows a feature of the text best, selected and measured on different halves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

MIN_CORRELATION = 0.5  # absolute value from which a unit is shown: a quarter of the variance


def probe_units(states: np.ndarray, features: Mapping[str, np.ndarray], untrained: np.ndarray) -> pd.DataFrame:
    """For each feature (B, T) the unit of `states` (B, T, U) with the strongest correlation on the first half of rows.

    `chosen` is that correlation, `judged` the one on the second half, which did not select the unit; `before` is
    `judged` for the states (B, T, U) of the untrained network, with a unit selected in the same way.
    """
    rows = []
    for name, values in features.items():
        unit, chosen, judged = _strongest(states, values)
        rows.append({"feature": name, "unit": unit, "chosen": chosen, "judged": judged})
        rows[-1]["before"] = _strongest(untrained, values)[2]
    return pd.DataFrame(rows, columns=["feature", "unit", "chosen", "judged", "before"])


def _strongest(states: np.ndarray, values: np.ndarray) -> tuple[int, float, float]:
    """The unit, and its correlation on the half that selects it and on the other half."""
    half = len(states) // 2
    selection = correlations(states[:half], values[:half])
    unit = int(np.abs(selection).argmax())
    held_out = correlations(states[half:, :, unit : unit + 1], values[half:])
    return unit, float(selection[unit]), float(held_out[0])


def correlations(states: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Pearson's r (U,) of each unit (B, T, U) with the values (B, T); 0 where either is constant."""
    states, values = states.reshape(-1, states.shape[-1]).astype(float), values.ravel() - values.mean()
    states = states - states.mean(0)
    scale = np.linalg.norm(states, axis=0) * np.linalg.norm(values)
    return np.divide(values @ states, scale, out=np.zeros(len(scale)), where=scale > 1e-9)
