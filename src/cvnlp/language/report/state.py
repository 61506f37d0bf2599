"""The report's figures on losses by position and frequency, and on the state of a recurrent network. No torch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.language.report import token_heatmap
from cvnlp.language.report.token_heatmap import TokenText
from cvnlp.report import plots
from cvnlp.report.elements import Column, Element, Figure, Table, single_figure

SHOWN_POSITIONS = 60  # in a line: few lines are longer
OUTLIERS = 0.02  # share of the numbers at either end of the colours


def state_elements(details: Path, folder: Path) -> list[Element]:
    """Losses of every model; gates and units of a recurrent one. The figures go into `folder`."""
    positions, frequencies = (pd.read_csv(details / f"{name}.csv") for name in ("positions", "frequencies"))
    found: list[Element] = [_losses(positions, frequencies, folder / "token_losses.png")]
    if not (details / "states.json").is_file():
        return found
    (text, strips), units = token_heatmap.read_text(details / "states.json"), pd.read_csv(details / "units.csv")
    found += [_gates(text, strips["gates"], folder / "gates.png")] if strips["gates"] else []
    found += [_unit_table(units)] if len(units) else []
    return found + ([_units(text, strips["units"], units, folder / "units.png")] if strips["units"] else [])


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


def _gates(text: TokenText, gates: Mapping[str, list[float]], path: Path) -> Figure:
    title = "Gates of the last layer along a text"
    _draw_strips(text, {f"{name} gate": values for name, values in gates.items()}, title, "opening", path)
    caption = "Mean opening of each gate over the units of the last layer, after each token. Dark is open."
    return single_figure(title, caption, path, f"The same text {len(gates)} times, coloured by the opening of a gate")


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


def _units(text: TokenText, activations: Mapping[str, list[float]], units: pd.DataFrame, path: Path) -> Figure:
    """`activations`: quantity -> those of the unit that tracks it."""
    rows = {row["feature"]: row for row in units.to_dict("records")}
    strips = {
        f"unit {row['unit']} of layer {row['layer']}: {feature} (r = {row['held_out']:.2f})": values
        for feature, values in activations.items()
        for row in [rows[feature]]
    }
    title = "Activations of units that track a quantity"
    _draw_strips(text, strips, title, "activation", path)
    caption = "The activation of each unit with a clear correlation, after each token of a validation text."
    return single_figure(title, caption, path, f"The same text {len(strips)} times, coloured by the activations")


def _draw_strips(text: TokenText, strips: Mapping[str, list[float]], title: str, label: str, path: Path) -> None:
    """The same text once for each strip, coloured by its numbers; outliers have the colours of the ends."""
    laid = {name: text.lay_out(values) for name, values in strips.items()}
    width, height = token_heatmap.size(next(iter(laid.values())), margin=0.5)
    drawing, axes = plots.stack(len(laid), title=title, width=width, height=height)
    for axis, (name, lines) in zip(axes, laid.items(), strict=True):
        low, high = np.quantile(strips[name], [OUTLIERS, 1 - OUTLIERS])
        token_heatmap.draw(axis, lines, low=low, high=high, cmap="Blues", label=label)
        axis.set_title(name, loc="left", fontsize=9)
    plots.save(drawing, path)
