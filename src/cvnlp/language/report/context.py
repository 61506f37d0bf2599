"""How far back language models look, drawn: of one, or of several side by side. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from cvnlp.report import plots

VANISHED = 1e-12  # smaller shares of a gradient are not told apart
SMALL = 0.01  # nats: below it the scale of what a changed past costs is linear, and shows noise as such


def along(path: Path, name: str) -> pd.Series:
    """A column of a table of numbers, along its first one."""
    return pd.read_csv(path, index_col=0)[name]


def draw_dependencies(
    gradients: pd.DataFrame,
    context: pd.DataFrame,
    prefixes: Mapping[str, pd.DataFrame],
    styles: plots.Styles,
    path: Path,
) -> None:
    """Gradients by steps back, if any, the loss by tokens read, and what a changed prefix costs by the distance behind.

    A line for each column of the first two, along the index, and for each table of the last.
    """
    figure, axes = plots.panels(2 if gradients.empty else 3, height=2.9)
    if not gradients.empty:
        _draw_gradients(axes[0], gradients, styles)
    for name, nats in context.items():
        axes[-2].semilogx(nats.dropna(), **styles[str(name)], marker="o", markersize=4, base=2, label=name)
    axes[-2].set(title="context", xlabel="tokens read before", ylabel="nats per token")
    if len(context.columns) > 1:
        axes[-2].legend()
    _draw_prefixes(axes[-1], prefixes, styles)
    plots.save(figure, path)


def _draw_gradients(axis: Axes, gradients: pd.DataFrame, styles: plots.Styles) -> None:
    for name, norms in gradients.items():
        axis.semilogy(norms.dropna(), **styles[str(name)], label=name)
    axis.set(title="gradient", xlabel="steps back", ylabel="norm, of that of the last input")
    axis.set_ylim(bottom=max(VANISHED, gradients.min().min() / 2))
    axis.legend()


def _draw_prefixes(axis: Axes, prefixes: Mapping[str, pd.DataFrame], styles: plots.Styles) -> None:
    for name, table in prefixes.items():
        axis.errorbar(table.index, table["extra"], table["error"], **styles[name], marker="o", markersize=3, label=name)
    axis.set_xscale("log", base=2)
    axis.set_yscale("symlog", linthresh=SMALL)
    axis.set_ylim(bottom=min(-SMALL, *((table["extra"] - table["error"]).min() for table in prefixes.values())))
    axis.set(title="changed past", xlabel="tokens behind it", ylabel="extra nats per token")
    axis.legend()
