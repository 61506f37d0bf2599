"""The report's figures on how language models use their context, for one model or several. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from cvnlp.report import plots
from cvnlp.report.elements import Figure, single_figure
from cvnlp.report.labels import short_label

VANISHED = 1e-12  # smaller shares of a gradient are not shown
LINEAR_BELOW = 0.01  # nats: below, the axis of the loss after a replaced prefix is linear, for the values are noise
PANELS = {
    "gradient": "norm of the gradient of one loss with respect to earlier inputs, relative to that of the last input",
    "context": "loss of a token given only the last tokens before it, by their number",
    "prefix": "increase of the loss behind tokens that were replaced by those of another text, by the distance from "
    "them, with standard errors",
}

QUANTITIES = {"gradient": "gradient norms", "context": "loss by context length", "prefix": "extra loss after a prefix"}


def read_column(path: Path, name: str) -> pd.Series:
    """A column of a table of numbers, indexed by the first one."""
    return pd.read_csv(path, index_col=0)[name]


def context_figure(
    gradients: pd.DataFrame,
    context: pd.DataFrame,
    prefixes: Mapping[str, pd.DataFrame],
    styles: plots.Styles,
    path: Path,
    *,
    title: str,
) -> Figure:
    """Gradients by steps back, if any, the loss by context length, and the loss after replaced prefixes by distance.

    A line for each column of the first two, along the index, and for each table of the last.
    """
    shown = [name for name in PANELS if name != "gradient" or not gradients.empty]
    drawing, axes = plots.panels(len(shown), title=title, height=2.9)
    if not gradients.empty:
        _draw_gradients(axes[0], gradients, styles)
    _draw_context(axes[-2], context, styles)
    _draw_prefixes(axes[-1], prefixes, styles)
    plots.save(drawing, path)
    caption = f"From left to right: {'; '.join(PANELS[name] for name in shown)}."
    models = f" for {', '.join(map(str, context.columns))}" if len(context.columns) > 1 else ""
    return single_figure(title, caption, path, f"Line plots of {', '.join(QUANTITIES[name] for name in shown)}{models}")


def _draw_gradients(axis: Axes, gradients: pd.DataFrame, styles: plots.Styles) -> None:
    for name, norms in gradients.items():
        axis.semilogy(norms.dropna(), **styles[str(name)], label=short_label(str(name)))
    axis.set(title="gradient of the loss", xlabel="steps back", ylabel="norm, relative to the last input")
    axis.set_ylim(bottom=max(VANISHED, gradients.min().min() / 2))
    plots.label_log_axis(axis.yaxis)
    axis.legend()


def _draw_context(axis: Axes, context: pd.DataFrame, styles: plots.Styles) -> None:
    for name, nats in context.items():
        axis.semilogx(
            nats.dropna(), **styles[str(name)], marker="o", markersize=4, base=2, label=short_label(str(name))
        )
    axis.set(title="limited context", xlabel="tokens of context", ylabel="nats per token")
    plots.label_log_axis(axis.xaxis)
    if len(context.columns) > 1:
        axis.legend()


def _draw_prefixes(axis: Axes, prefixes: Mapping[str, pd.DataFrame], styles: plots.Styles) -> None:
    for name, table in prefixes.items():
        axis.errorbar(
            table.index,
            table["extra"],
            table["error"],
            **styles[name],
            marker="o",
            markersize=3,
            label=short_label(str(name)),
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("symlog", linthresh=LINEAR_BELOW)
    lowest = [(table["extra"] - table["error"]).min() for table in prefixes.values() if len(table)]
    axis.set_ylim(bottom=min([-LINEAR_BELOW, *lowest]))  # a single excerpt has no other prefix
    axis.set(title="replaced prefix", xlabel="tokens after the prefix", ylabel="extra nats per token")
    plots.label_log_axis(axis.xaxis)
    plots.label_log_axis(axis.yaxis)
    if prefixes:
        axis.legend()
