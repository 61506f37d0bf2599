"""What the recurrent state tracks: the loss by position in the line and by token frequency, units that follow a feature
of the text, and gates, all on the beginning of the validation text.
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
from cvnlp.language import metrics
from cvnlp.language.batches import count_tokens
from cvnlp.language.inference.scoring import token_nats
from cvnlp.language.insight.gates import layer_states, mean_gates
from cvnlp.language.insight.text_features import positions, text_features
from cvnlp.language.insight.unit_probes import MIN_CORRELATION, probe_units
from cvnlp.language.models import Network, Recurrent
from cvnlp.launch.devices import device

MAX_COLUMNS, MIN_LENGTH = 64, 256  # columns of a text, and tokens of each
BURN_IN = 32  # tokens at the start of a column that are read and not counted, because the state begins at zero
WINDOW = 16  # steps whose logits are in memory together
STRIP = {"characters": 216, "words": 60}  # tokens that are shown with gates and units


@dataclass(frozen=True)
class TextColumns:
    """A text (N,), the start token first, cut into columns: `places` (B, T) of their inputs in the text."""

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
    def burn_in(self) -> int:
        """At most a quarter of a column."""
        return min(BURN_IN, self.places.shape[1] // 4)

    def after_burn_in(self, values: np.ndarray) -> np.ndarray:
        """The part of `values` (B, T, ...) after the burn-in."""
        return values[:, self.burn_in :]


def choose_columns(data: Path, facts: LanguageFacts, tokens: int) -> TextColumns:
    """The first `tokens` of the validation text in an even number of columns, because units are probed in halves."""
    text = np.concatenate(([facts.start], prepared.load_array(data, "validation")[:tokens])).astype(np.int64)
    count = max(2, min(MAX_COLUMNS, (len(text) - 1) // MIN_LENGTH) // 2 * 2)
    length = (len(text) - 1) // count
    places = np.arange(count)[:, None] * length + np.arange(length)
    return TextColumns(text, places, facts, files.read_json(data / "vocabulary.json"))


def save_losses(network: Network, columns: TextColumns, data: Path, folder: Path) -> dict[str, float]:
    """Write positions.csv and frequencies.csv into `folder`; returns the first rows of both, flat."""
    inputs, targets = torch.from_numpy(columns.inputs), torch.from_numpy(columns.targets)
    nats = columns.after_burn_in(token_nats(network, inputs, targets, window=WINDOW).numpy()).ravel()
    places = positions(columns.text, columns.facts.start)[columns.places] + 1
    counts = count_tokens(prepared.load_array(data, "train"), len(columns.vocabulary))
    by_position = metrics.losses_by_position(nats, columns.after_burn_in(places).ravel())
    by_frequency = metrics.losses_by_frequency(nats, columns.after_burn_in(columns.targets).ravel(), counts)
    files.write_table(folder / "positions.csv", by_position)
    files.write_table(folder / "frequencies.csv", by_frequency)
    shown = by_position[by_position["position"].isin(2 ** np.arange(10))]
    scores = {f"nats_position_{place}": nats for place, nats in zip(shown["position"], shown["nats"], strict=True)}
    rows = zip(by_frequency["frequency"], by_frequency["nats"], strict=True)
    return scores | {f"nats_frequency_{frequency}": nats for frequency, nats in rows}


def save_states(network: Recurrent, untrained: Recurrent, columns: TextColumns, folder: Path) -> dict[str, float]:
    """Write units.csv and states.json into `folder`; returns the correlation of the best unit for each feature."""
    facts = columns.facts
    of_text = text_features(columns.text, columns.vocabulary, line_end=facts.start, token_kind=facts.token_kind)
    features = {name: columns.after_burn_in(values[columns.places]) for name, values in of_text.items()}
    states = columns.after_burn_in(_states(network, columns))
    units = probe_units(states, features, columns.after_burn_in(_states(untrained, columns)))
    files.write_table(folder / "units.csv", units.assign(**_layers(network, units["unit"])))
    files.write_json(folder / "states.json", _strip(network, columns, states, units))
    return dict(zip("unit_" + units["feature"].str.replace(" ", "_"), units["held_out"], strict=True))


def _states(network: Recurrent, columns: TextColumns) -> np.ndarray:
    """The units of all layers (B, T, U), concatenated."""
    layers = layer_states(network, torch.from_numpy(columns.inputs).to(device()))
    return torch.cat(layers, dim=2).cpu().numpy()


def _layers(network: Recurrent, units: pd.Series) -> dict[str, Any]:
    """The layer, from 1, and the number within it, of units that are numbered through all layers."""
    ends = np.cumsum([layer.hidden_size for layer in network.recurrent])
    layers = np.searchsorted(ends, units, side="right")
    return {"layer": layers + 1, "unit": units - np.concatenate(([0], ends))[layers]}


def _strip(network: Recurrent, columns: TextColumns, states: np.ndarray, units: pd.DataFrame) -> dict[str, Any]:
    """Lines of the half that selected no unit, with the gates and the shown units at every token."""
    row, facts = len(states) // 2, columns.facts
    first = _first_line_start(columns.inputs[row], facts.start, columns.burn_in)
    inputs = columns.inputs[row : row + 1, : first + STRIP[facts.token_kind]]
    shown_states = states[row, first - columns.burn_in : inputs.shape[1] - columns.burn_in]
    gates = mean_gates(network, torch.from_numpy(inputs).to(device()))
    shown = units[units["held_out"].abs() >= MIN_CORRELATION]
    return {
        "tokens": [columns.vocabulary[token] for token in inputs[0, first:]],
        "token_kind": facts.token_kind,
        "line_end": columns.vocabulary[facts.start],
        "gates": {name: _rounded(values[0, first:].cpu().numpy()) for name, values in gates.items()},
        "units": {
            feature: _rounded(shown_states[:, unit])
            for feature, unit in zip(shown["feature"], shown["unit"], strict=True)
        },
    }


def _first_line_start(tokens: np.ndarray, line_end: int, first: int) -> int:
    """The place after the first line end from `first` on; `first` itself if the first half of the tokens has none."""
    ends = np.flatnonzero(tokens[first : len(tokens) // 2] == line_end)
    return first + int(ends[0]) + 1 if len(ends) else first


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values.astype(float), 4).tolist()
