"""Probe single units: which one follows a feature of the text best, selected and measured on different halves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

MIN_CORRELATION = 0.5  # absolute value from which a unit is shown: a quarter of the variance


def probe_units(states: np.ndarray, features: Mapping[str, np.ndarray], untrained: np.ndarray) -> pd.DataFrame:
    """For each feature (B, T) the unit of `states` (B, T, U) with the strongest correlation on the first half of rows.

    `selection` is that correlation, `held_out` the one on the second half, which did not select the unit; `untrained`
    is `held_out` for the states (B, T, U) of the untrained network, with a unit selected in the same way.
    """
    rows = []
    for name, values in features.items():
        unit, selection, held_out = _strongest(states, values)
        _, _, baseline = _strongest(untrained, values)
        row = {"feature": name, "unit": unit, "selection": selection, "held_out": held_out, "untrained": baseline}
        rows.append(row)
    return pd.DataFrame(rows, columns=["feature", "unit", "selection", "held_out", "untrained"])


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
