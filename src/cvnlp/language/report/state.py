"""The report's figures on losses by position and frequency, and on the state of a recurrent network. No torch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.language.report.token_texts import Tokens, read_tokens
from cvnlp.report import plots
from cvnlp.report.elements import Column, Element, Figure, Table, TokenText, TokenValues, single_figure

SHOWN_POSITIONS = 60  # in a line: few lines are longer
OUTLIERS = 0.02  # share of the numbers at either end of the colours


def state_elements(details: Path, folder: Path) -> list[Element]:
    """Losses of every model; gates and units of a recurrent one. The figures go into `folder`."""
    positions, frequencies = (pd.read_csv(details / f"{name}.csv") for name in ("positions", "frequencies"))
    losses = _losses(positions, frequencies, folder / "token_losses.png")
    if not (details / "states.json").is_file():
        return [losses]
    units = pd.read_csv(details / "units.csv")
    return [losses, *gates(details), *([_unit_table(units)] if len(units) else []), *activations(details)]


def gates(details: Path) -> list[TokenText]:
    """The openings of the gates along a text; nothing of a cell without gates."""
    text, strips = read_tokens(details / "states.json")
    if not strips["gates"]:
        return []
    named = {f"{name} gate": values for name, values in strips["gates"].items()}
    caption = "Mean opening of each gate over the units of the last layer, after each token. Dark is open."
    return [_along(text, named, "Gates of the last layer along a text", caption)]


def _losses(positions: pd.DataFrame, frequencies: pd.DataFrame, path: Path) -> Figure:
    title = "Loss by position and by frequency of the token"
    drawing, (by_position, by_frequency) = plots.panels(2, title=title, height=2.8)
    shown = positions[positions["position"] <= SHOWN_POSITIONS]
    by_position.plot(shown["position"], shown["nats"], color=plots.COLOURS[0], marker="o", markersize=2.5)
    by_position.set(title="position", xlabel="position in the line, tokens", ylabel="nats per token", ylim=(0, None))
    names = [f"{int(count):,}" if count else "unknown" for count in frequencies["frequency"]]
    bars = by_frequency.bar(names, frequencies["nats"], color=plots.COLOURS[0])
    by_frequency.bar_label(bars, [f"{share:.0%}" for share in frequencies["share"]], fontsize=8)
    by_frequency.set(title="frequency", xlabel="occurrences in the training text, at least", ylabel="nats per token")
    by_frequency.tick_params(axis="x", labelsize=8)
    by_frequency.grid(visible=False, axis="x")
    plots.save(drawing, path)
    caption = (
        "Left: mean loss by position in the line. Right: mean loss by how often the token occurs in the training text; "
        "above each bar its share of the total loss."
    )
    return single_figure(title, caption, path, "A line plot of loss by position and a bar chart of loss by frequency")


def _unit_table(units: pd.DataFrame) -> Table:
    columns = (
        Column("quantity", units["feature"].tolist()),
        Column("unit", [f"{row.unit} of layer {row.layer}" for row in units.itertuples()]),
        Column("correlation", units["held_out"].tolist(), ".2f"),
        Column("where it was chosen", units["selection"].tolist(), ".2f"),
        Column("untrained network", units["untrained"].tolist(), ".2f"),
    )
    caption = (
        "For each quantity, the unit with the highest correlation (Pearson's r) on the first half of a text, and its "
        "correlation on the second half, which was not used to choose it; likewise of the untrained network."
    )
    return Table("Units that track a quantity", columns, caption)


def activations(details: Path) -> list[TokenText]:
    """The activations of the units that track a quantity; nothing where none does."""
    text, strips = read_tokens(details / "states.json")
    if not strips["units"]:
        return []
    rows = {row["feature"]: row for row in pd.read_csv(details / "units.csv").to_dict("records")}
    named = {
        f"unit {row['unit']} of layer {row['layer']}: {feature} (r = {row['held_out']:.2f})": values
        for feature, values in strips["units"].items()
        for row in [rows[feature]]
    }
    caption = "The activation of each unit with a clear correlation, after each token of a validation text."
    return [_along(text, named, "Activations of units that track a quantity", caption)]


def _along(text: Tokens, strips: Mapping[str, list[float]], title: str, caption: str) -> TokenText:
    quantities = (TokenValues(name, tuple(values), *_range(values)) for name, values in strips.items())
    return text.element(title, caption, tuple(quantities))


def _range(values: list[float]) -> tuple[float, float]:
    """Where the colours begin and end: without outliers."""
    low, high = np.quantile(values, [OUTLIERS, 1 - OUTLIERS])
    return float(low), float(high)
