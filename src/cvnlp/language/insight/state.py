"""What the state keeps track of while a network reads: the cost of tokens by place and frequency, units that count, and
how far gates open, on the beginning of the validation text.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.batches import count_tokens
from cvnlp.language.insight.gates import mean_gates, read_states
from cvnlp.language.insight.text_features import features, positions
from cvnlp.language.insight.token_losses import by_frequency, by_position
from cvnlp.language.insight.unit_probes import CLEAR, find_units
from cvnlp.language.models import Network, Recurrent
from cvnlp.networks import device

COLUMNS, COLUMN = 64, 256  # at most so many, read side by side, of at least so many tokens
SETTLING = 32  # tokens at the start of a column that are read, and then not counted: the state comes from nowhere
WINDOW = 16  # steps whose logits are in memory together
STRIP = {"characters": 216, "words": 60}  # tokens shown with the gates and units that go with them


@dataclass(frozen=True)
class Reading:
    """A text (N,) after its start token, and where the columns lie on it: places (B, T) of what they read."""

    text: np.ndarray
    places: np.ndarray
    facts: LanguageFacts
    vocabulary: list[str]

    @property
    def inputs(self) -> np.ndarray:
        return self.text[self.places]

    @property
    def targets(self) -> np.ndarray:
        return self.text[self.places + 1]

    @property
    def settling(self) -> int:
        return min(SETTLING, self.places.shape[1] // 4)

    def counted(self, values: np.ndarray) -> np.ndarray:
        """Of (B, T, ...) what lies behind the start of a column."""
        return values[:, self.settling :]


def begin_reading(data: Path, facts: LanguageFacts, tokens: int) -> Reading:
    """The first `tokens` of the validation text, in an even number of columns."""
    text = np.concatenate(([facts.start], prepared.load_array(data, "validation")[:tokens])).astype(np.int64)
    columns = max(2, min(COLUMNS, (len(text) - 1) // COLUMN) // 2 * 2)
    length = (len(text) - 1) // columns
    places = np.arange(columns)[:, None] * length + np.arange(length)
    return Reading(text, places, facts, files.read_json(data / "vocabulary.json"))


def save_losses(network: Network, reading: Reading, data: Path, folder: Path) -> dict[str, float]:
    """positions.csv and frequencies.csv into `folder`; returns some of both, flat."""
    nats = reading.counted(_nats(network, reading)).ravel()
    at = positions(reading.text, reading.facts.start)[reading.places] + 1
    counts = count_tokens(prepared.load_array(data, "train"), len(reading.vocabulary))
    places = by_position(nats, reading.counted(at).ravel())
    times = by_frequency(nats, reading.counted(reading.targets).ravel(), counts)
    files.write_table(folder / "positions.csv", places)
    files.write_table(folder / "frequencies.csv", times)
    shown = places[places["position"].isin(2 ** np.arange(10))]
    return {f"nats_position_{place}": nats for place, nats in zip(shown["position"], shown["nats"], strict=True)} | {
        f"nats_times_{least}": nats for least, nats in zip(times["times"], times["nats"], strict=True)
    }


@torch.inference_mode()
def _nats(network: Network, reading: Reading) -> np.ndarray:
    """What every target cost (B, T), each column read from a fresh state."""
    state, found = None, []
    sides = (torch.from_numpy(side).to(device()) for side in (reading.inputs, reading.targets))
    for inputs, targets in zip(*(side.split(WINDOW, dim=1) for side in sides), strict=True):
        nats, state = network.nats(inputs, targets, state)
        found.append(nats)
    return torch.cat(found, dim=1).cpu().numpy()


def save_states(network: Recurrent, fresh: Recurrent, reading: Reading, folder: Path) -> dict[str, float]:
    """units.csv and states.json into `folder`; returns the correlations of units that count, flat."""
    found = {
        name: reading.counted(values[reading.places])
        for name, values in features(
            reading.text,
            reading.vocabulary,
            line_end=reading.facts.start,
            token_kind=reading.facts.token_kind,
        ).items()
    }
    states = reading.counted(_states(network, reading))
    units = find_units(states, found, reading.counted(_states(fresh, reading)))
    files.write_table(folder / "units.csv", units.assign(**_layers(network, units["unit"])))
    files.write_json(folder / "states.json", _strip(network, reading, states, units))
    return dict(zip("unit_" + units["feature"].str.replace(" ", "_"), units["judged"], strict=True))


def _states(network: Recurrent, reading: Reading) -> np.ndarray:
    """(B, T, units): those of all layers side by side."""
    layers = read_states(network, torch.from_numpy(reading.inputs).to(device()))
    return torch.cat(layers, dim=2).cpu().numpy()


def _layers(network: Recurrent, units: pd.Series) -> dict[str, Any]:
    """The layer, from 1, and the number in it, of units that are numbered through all layers."""
    ends = np.cumsum([layer.hidden_size for layer in network.recurrent])
    layers = np.searchsorted(ends, units, side="right")
    return {"layer": layers + 1, "unit": units - np.concatenate(([0], ends))[layers]}


def _strip(network: Recurrent, reading: Reading, states: np.ndarray, units: pd.DataFrame) -> dict[str, Any]:
    """The first lines of the half that chose no unit, and beside each the gates and the units that count, after it."""
    row = len(states) // 2
    first = _after_a_line(reading.inputs[row], reading.facts.start, reading.settling)
    inputs = reading.inputs[row : row + 1, : first + STRIP[reading.facts.token_kind]]
    shown_states = states[row, first - reading.settling : inputs.shape[1] - reading.settling]
    gates = mean_gates(network, torch.from_numpy(inputs).to(device()))
    shown = units[units["judged"].abs() >= CLEAR]
    return {
        "tokens": [reading.vocabulary[token] for token in inputs[0, first:]],
        "token_kind": reading.facts.token_kind,
        "line_end": reading.vocabulary[reading.facts.start],
        "gates": {name: _rounded(values[0, first:].cpu().numpy()) for name, values in gates.items()},
        "units": {
            feature: _rounded(shown_states[:, unit])
            for feature, unit in zip(shown["feature"], shown["unit"], strict=True)
        },
    }


def _after_a_line(tokens: np.ndarray, line_end: int, first: int) -> int:
    """The place after the first line end behind `first`; if the first half has none, `first` itself."""
    ends = np.flatnonzero(tokens[first : len(tokens) // 2] == line_end)
    return first + int(ends[0]) + 1 if len(ends) else first


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values.astype(float), 4).tolist()
