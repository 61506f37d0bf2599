"""What the report shows of what a language model keeps track of while it reads. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cvnlp import files
from cvnlp.language.report.run import lay_out, write
from cvnlp.report import plots

SHOWN_POSITIONS = 60  # places of a line: there are few longer ones
OUTLIERS = 0.02  # share of the numbers at either end of the colours


def draw_tracking(details: Path, folder: Path) -> list[str]:
    """The part of a network's section as Markdown; its figures go into `folder` and are linked by name."""
    positions, frequencies = (pd.read_csv(details / f"{name}.csv") for name in ("positions", "frequencies"))
    _draw_losses(positions, frequencies, folder / "losses.png")
    lines = [
        "What a token costs by its place in the line, and by how often it stands in the training text (above the bars: "
        "the share of the whole cost):",
        "",
        "![Cost by place and frequency]({folder}/losses.png)",
        "",
    ]
    return lines + (_states(details, folder) if (details / "states.json").is_file() else [])


def _draw_losses(positions: pd.DataFrame, frequencies: pd.DataFrame, path: Path) -> None:
    figure, (by_position, by_frequency) = plots.panels(2, height=2.8)
    shown = positions[positions["position"] <= SHOWN_POSITIONS]
    by_position.plot(shown["position"], shown["nats"], color=plots.COLOURS[0], marker="o", markersize=2.5)
    by_position.set(title="place", xlabel="place in the line", ylabel="nats per token", ylim=(0, None))
    names = [_decade(int(times)) for times in frequencies["times"]]
    bars = by_frequency.bar(names, frequencies["nats"], color=plots.COLOURS[0])
    by_frequency.bar_label(bars, [f"{share:.0%}" for share in frequencies["share"]], fontsize=8)
    by_frequency.set(title="frequency", xlabel="times in the training text, from")
    by_frequency.tick_params(axis="x", labelsize=8)
    by_frequency.grid(visible=False, axis="x")
    plots.save(figure, path)


def _decade(times: int) -> str:
    return f"{times:,}" if times else "unknown"


def _states(details: Path, folder: Path) -> list[str]:
    strip, units = files.read_json(details / "states.json"), pd.read_csv(details / "units.csv")
    lines = []
    if strip["gates"]:
        _draw_strips({f"{name} gate": values for name, values in strip["gates"].items()}, strip, folder / "gates.png")
        lines += [
            "How far its gates are open after each token, the mean over the units of the last layer:",
            "",
            "![Gates over a text]({folder}/gates.png)",
            "",
        ]
    if len(units):
        lines += [_said_of_units(), "", _table(units).to_markdown(index=False, disable_numparse=True), ""]
    if strip["units"]:
        rows = {row.feature: row for row in units.itertuples()}
        named = {_title(rows[feature]): values for feature, values in strip["units"].items()}
        _draw_strips(named, strip, folder / "units.png")
        lines += ["The clear ones over a text:", "", "![Units that count]({folder}/units.png)", ""]
    return lines


def _said_of_units() -> str:
    return (
        "Units that count. For each quantity the one whose value follows it best on the first half of a text; how well "
        "it does (Pearson's r) is told by the second half, which did not choose it, beside the best unit before "
        "training, chosen alike:"
    )


def _table(units: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "quantity": row.feature,
            "unit": f"{row.unit} of layer {row.layer}",
            "r": f"{row.judged:.2f}",
            "r where it was chosen": f"{row.chosen:.2f}",
            "r before training": f"{row.before:.2f}",
        }
        for row in units.itertuples()
    )


def _title(row: Any) -> str:
    return f"unit {row.unit} of layer {row.layer}: {row.feature} (r = {row.judged:.2f})"


def _draw_strips(strips: Mapping[str, list[float]], text: Mapping[str, Any], path: Path) -> None:
    """The same text once for each strip, on the colours of its numbers."""
    laid = {
        name: lay_out(text["tokens"], values, text["token_kind"], text["line_end"]) for name, values in strips.items()
    }
    lines = next(iter(laid.values()))
    width, height = 0.115 * max(map(len, lines)) + 1.2, 0.2 * len(lines) + 0.5
    figure, axes = plots.stack(len(laid), width=width, height=height)
    for axis, (name, of_strip) in zip(axes, laid.items(), strict=True):
        _draw_strip(axis, name, of_strip, strips[name])
    plots.save(figure, path)


def _draw_strip(axis: Axes, name: str, lines: list[list[tuple[str, float]]], values: list[float]) -> None:
    low, high = np.quantile(values, [OUTLIERS, 1 - OUTLIERS])
    picture = write(
        axis, lines, cmap="Blues", vmin=low, vmax=high + 0.6 * (high - low)
    )  # dark letters on no dark ground
    axis.set_title(name, loc="left", fontsize=9)
    bar = axis.figure.colorbar(picture, ax=axis, pad=0.01)
    bar.ax.set_ylim(low, high)
    bar.ax.tick_params(labelsize=7)
