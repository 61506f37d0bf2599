"""What the report shows of what a language model has learned. Imports no torch."""

from pathlib import Path

import pandas as pd

from cvnlp.language.report.context import along, draw_dependencies
from cvnlp.language.report.embeddings import draw_vectors
from cvnlp.language.report.samples import show_samples
from cvnlp.language.report.state import draw_tracking
from cvnlp.report import plots

STYLES: plots.Styles = {"start": {"color": "#999999"}, "trained": {"color": plots.COLOURS[0]}}


def draw_insight(details: Path, folder: Path) -> list[str]:
    """The section as Markdown; its figures go into `folder` and are linked by name."""
    lines = _dependencies(details, folder) + draw_tracking(details, folder)
    lines += draw_vectors(details, folder) if (details / "projection.csv").is_file() else []
    return lines + show_samples(details)


def _dependencies(details: Path, folder: Path) -> list[str]:
    context = along(details / "context.csv", "nats").to_frame("trained")
    path = details / "gradients.csv"
    gradients = pd.DataFrame({name: along(path, name) for name in STYLES} if path.is_file() else {})
    prefixes = pd.read_csv(details / "prefixes.csv")
    named = {f"{prefix} changed": rows.set_index("distance") for prefix, rows in prefixes.groupby("prefix")}
    styles = dict(STYLES) | dict(plots.line_styles(named))
    draw_dependencies(gradients, context, named, styles, folder / "dependencies.png")
    norms = "" if gradients.empty else "the gradient of one loss at the inputs before it, "
    return [
        f"How far back it looks: {norms}the loss when fewer tokens are read, and what a token costs more when those so "
        "far before it were another text's:",
        "",
        "![Long-term dependencies]({folder}/dependencies.png)",
        "",
        *_recall(details / "recall.csv"),
    ]


def _recall(path: Path) -> list[str]:
    """A sentence, if there is such an experiment."""
    if not path.is_file():
        return []
    table = pd.read_csv(path)
    shown = ", ".join(f"{row.accuracy:.0%} at {row.steps_back}" for row in table.itertuples())
    return [
        f"A small network of its kind of cell, trained to name a symbol that it read at most {table['trained'][0]} "
        f"steps before, names it rightly, by the steps back: {shown}; a guess is right in {table['chance'][0]:.1%}.",
        "",
    ]
