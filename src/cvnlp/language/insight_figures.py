"""What the report shows of what a language model has learned. Imports no torch."""

from pathlib import Path

import pandas as pd

from cvnlp import plots
from cvnlp.language.figures import visible

SHOWN_TOKENS = 12  # with their neighbours, as a table
VANISHED = 1e-12  # smaller shares of a gradient are not told apart


def draw_insight(details: Path, folder: Path) -> list[str]:
    """The section as Markdown; its figures go into `folder` and are linked by name."""
    lines = _dependencies(details, folder)
    return lines + (_words(details, folder) if (details / "projection.csv").is_file() else [])


def _dependencies(details: Path, folder: Path) -> list[str]:
    styles: plots.Styles = {"start": {"color": "#999999"}, "trained": {"color": plots.COLOURS[0]}}
    context = along(details / "context.csv", "nats").to_frame("trained")
    path = details / "gradients.csv"
    gradients = pd.DataFrame({name: along(path, name) for name in styles} if path.is_file() else {})
    draw_dependencies(gradients, context, styles, folder / "dependencies.png")
    norms = "" if gradients.empty else "the gradient of one loss at the inputs before it, and "
    return [
        f"How far back it looks: {norms}the loss when fewer are read:",
        "",
        "![Long-term dependencies]({folder}/dependencies.png)",
        "",
    ]


def _words(details: Path, folder: Path) -> list[str]:
    _draw_projection(_tokens(details / "projection.csv"), folder / "embedding.png")
    return [
        "The most frequent tokens as vectors, on the plane on which they differ most, and the nearest of some:",
        "",
        "![Embedding]({folder}/embedding.png)",
        "",
        _neighbours(_tokens(details / "neighbours.csv")).to_markdown(index=False),
        "",
    ]


def along(path: Path, name: str) -> pd.Series:
    """A column of a table of numbers, along its first one."""
    return pd.read_csv(path, index_col=0)[name]


def _tokens(path: Path) -> pd.DataFrame:
    """A table of tokens as they are: `null` and `NA` are words, a quotation mark is a character."""
    return pd.read_csv(path, keep_default_na=False)


def draw_dependencies(gradients: pd.DataFrame, context: pd.DataFrame, styles: plots.Styles, path: Path) -> None:
    """The loss by tokens read (the index), a line for each column; beside it gradients by steps back, if any."""
    figure, axes = plots.panels(1 if gradients.empty else 2, height=2.9)
    for name, norms in gradients.items():
        axes[0].semilogy(norms.dropna(), **styles[str(name)], label=name)
    if not gradients.empty:
        axes[0].set(title="gradient", xlabel="steps back", ylabel="norm, of that of the last input")
        axes[0].set_ylim(bottom=max(VANISHED, gradients.min().min() / 2))
        axes[0].legend()
    for name, nats in context.items():
        axes[-1].semilogx(nats.dropna(), **styles[str(name)], marker="o", markersize=4, base=2, label=name)
    axes[-1].set(title="context", xlabel="tokens read before", ylabel="nats per token")
    if len(context.columns) > 1:
        axes[-1].legend()
    plots.save(figure, path)


def _draw_projection(table: pd.DataFrame, path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=6.4, height=4.8)
    axis.scatter(table["x"], table["y"], s=4, color="#CCCCCC")
    for row in table.itertuples():
        axis.annotate(visible(str(row.token)), (row.x, row.y), fontsize=7, ha="center", va="center", parse_math=False)
    axis.set(title="embedding", xlabel="first principal component", ylabel="second")
    plots.save(figure, path)


def _neighbours(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for token in list(dict.fromkeys(table["token"]))[:SHOWN_TOKENS]:
        found = table[table["token"] == token]
        near = ", ".join(f"`{visible(str(row.neighbour))}` {row.cosine:.2f}" for row in found.itertuples())
        rows.append({"token": f"`{visible(str(token))}`", "nearest (cosine)": near})
    return pd.DataFrame(rows)
