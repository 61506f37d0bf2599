"""The report's figures and tables on the embeddings of tokens. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from cvnlp.language.report.token_texts import visible
from cvnlp.report import plots
from cvnlp.report.elements import Code, Column, Element, Figure, Span, Table, single_figure
from cvnlp.report.labels import short_label

SHOWN_TOKENS = 12  # with their neighbours, as a table
KINDS = {"input": "input embedding", "output": "output embedding"}


def embedding_elements(details: Path, folder: Path) -> list[Element]:
    """`details` holds the tables; the figures go into `folder`."""
    relations = pd.read_csv(details / "relations.csv")
    return [
        _projection(read_tokens(details / "projection.csv"), folder / "embedding.png"),
        _neighbours(read_tokens(details / "neighbours.csv")),
        _similarity(read_tokens(details / "similarity.csv"), folder / "similarity.png"),
        *([_relations(relations)] if len(relations) else []),
    ]


def read_tokens(path: Path) -> pd.DataFrame:
    """A table of tokens as they are: `null`, `NA`, `007` and `1.50` are words, a quotation mark is a character."""
    return pd.read_csv(path, keep_default_na=False, dtype={"token": str, "neighbour": str})


def _projection(table: pd.DataFrame, path: Path) -> Figure:
    title = "Embeddings of the most frequent tokens"
    drawing, (axis,) = plots.panels(1, title=title, width=6.4, height=4.8)
    axis.scatter(table["x"], table["y"], s=4, color="#CCCCCC")
    for row in table.itertuples():
        axis.annotate(short_label(visible(str(row.token))), (row.x, row.y), fontsize=7, ha="center", va="center")
    axis.set(xlabel="first principal component", ylabel="second principal component")
    plots.save(drawing, path)
    caption = "Projected on their first two principal components. Tokens that are used alike lie close together."
    return single_figure(title, caption, path, f"Scatter plot of {len(table)} tokens")


def _neighbours(table: pd.DataFrame) -> Table:
    tokens = list(dict.fromkeys(table["token"]))[:SHOWN_TOKENS]
    columns = (
        Column("token", [Code(visible(str(token))) for token in tokens]),
        Column("nearest tokens (cosine)", [_near(table[table["token"] == token]) for token in tokens]),
    )
    return Table("Nearest neighbours of the most frequent tokens", columns, "By cosine similarity of the embeddings.")


def _near(rows: pd.DataFrame) -> tuple[Span, ...]:
    spans: list[Span] = []
    for row in rows.itertuples():
        spans += [Code(visible(str(row.neighbour))), f" {row.cosine:.2f}, "]
    return (*spans[:-1], str(spans[-1]).removesuffix(", "))


def _similarity(table: pd.DataFrame, path: Path) -> Figure:
    tokens = list(dict.fromkeys(table["token"]))
    size = len(tokens)
    learned = {name: table[name].to_numpy().reshape(size, size) for name in table.columns[2:]}
    title = "Similarity of tokens"
    drawing, axes = plots.panels(1 + len(learned), title=title, width=3.4, height=3.2)
    picture = _draw_cosines(axes[0], np.eye(size), tokens, "one-hot vectors")
    for axis, (name, cosines) in zip(axes[1:], learned.items(), strict=True):
        picture = _draw_cosines(axis, cosines, tokens, f"learned {KINDS[name]}")
    drawing.colorbar(picture, ax=axes, label="cosine similarity", pad=0.01)
    plots.save(drawing, path)
    caption = (
        "Cosine similarity of each two tokens. One-hot vectors are all equally different; learned embeddings are not."
    )
    return single_figure(title, caption, path, f"Heat maps of the cosine similarities of {size} tokens")


def _draw_cosines(axis: Axes, cosines: np.ndarray, tokens: list[str], title: str) -> AxesImage:
    names = [short_label(visible(str(token))) for token in tokens]
    axis.set(title=title)
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.grid(visible=False)
    return axis.imshow(cosines, cmap="RdBu", vmin=-1, vmax=1)


def _relations(relations: pd.DataFrame) -> Table:
    columns = (
        Column("relation", relations["relation"].tolist()),
        Column("embedding", [KINDS[name] for name in relations["vectors"]]),
        Column("questions", relations["questions"].tolist(), ",d"),
        Column("correct", relations["accuracy"].tolist(), ".1%"),
        Column("untrained network", relations["untrained"].tolist(), ".1%"),
        Column("guessing", relations["chance"].tolist(), ".2%"),
    )
    caption = (
        "Analogies: of two pairs A : a and B : b, whether the nearest embedding to a - A + B is that of b. Vowel or "
        "consonant: whether the nearest letter is of the same kind. Neither was trained explicitly."
    )
    return Table("Relations between embeddings", columns, caption)
