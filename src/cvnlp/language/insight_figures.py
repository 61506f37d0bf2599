"""What the report shows of what a language model has learned. Imports no torch."""

from pathlib import Path

import pandas as pd

from cvnlp import plots
from cvnlp.language.figures import visible

SHOWN_TOKENS = 12  # with their neighbours, as a table


def draw_insight(details: Path, folder: Path) -> list[str]:
    """The section as Markdown; its figures go into `folder` and are linked by name."""
    _draw_dependencies(
        pd.read_csv(details / "gradients.csv"), pd.read_csv(details / "context.csv"), folder / "dependencies.png"
    )
    _draw_projection(_tokens(details / "projection.csv"), folder / "embedding.png")
    return [
        "How far back it looks: the gradient of one loss at the inputs before it, and the loss when fewer are read:",
        "",
        "![Long-term dependencies]({folder}/dependencies.png)",
        "",
        "The most frequent tokens as vectors, on the plane on which they differ most, and the nearest of some:",
        "",
        "![Embedding]({folder}/embedding.png)",
        "",
        _neighbours(_tokens(details / "neighbours.csv")).to_markdown(index=False),
        "",
    ]


def _tokens(path: Path) -> pd.DataFrame:
    """A table of tokens as they are: `null` and `NA` are words, a quotation mark is a character."""
    return pd.read_csv(path, keep_default_na=False)


def _draw_dependencies(gradients: pd.DataFrame, context: pd.DataFrame, path: Path) -> None:
    figure, (back, length) = plots.panels(2, height=2.9)
    for name, colour in (("start", "#999999"), ("trained", plots.COLOURS[0])):
        back.semilogy(gradients["steps_back"], gradients[name], color=colour, label=name)
    back.set(title="gradient", xlabel="steps back", ylabel="norm, of that of the last input")
    back.set_ylim(bottom=max(1e-12, gradients[["start", "trained"]].min().min() / 2))
    back.legend()
    length.semilogx(context["tokens"], context["nats"], color=plots.COLOURS[0], marker="o", markersize=4, base=2)
    length.set(title="context", xlabel="tokens read before", ylabel="nats per token")
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
