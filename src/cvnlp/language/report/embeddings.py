"""The report's figures and tables on the embeddings of tokens. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.language.report.token_texts import visible
from cvnlp.report import heat_maps, plots
from cvnlp.report.elements import Code, Column, Element, Figure, Span, Table, single_figure
from cvnlp.report.heat_maps import HeatMap, Style
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
    names = [short_label(visible(str(token))) for token in tokens]
    learned = {f"learned {KINDS[name]}": table[name].to_numpy().reshape(size, size) for name in table.columns[2:]}
    title, shown = "Similarity of tokens", {"one-hot vectors": np.eye(size)} | learned
    maps = [HeatMap(cosines, names, names, title=kind) for kind, cosines in shown.items()]
    style = Style("RdBu", low=-1, high=1, cell=(0.17, 0.17), label_size=7)
    heat_maps.draw(maps, path, title=title, style=style, bar="cosine similarity")
    caption = (
        "Cosine similarity of each two tokens. One-hot vectors are all equally different; learned embeddings are not."
    )
    return single_figure(title, caption, path, f"Heat maps of the cosine similarities of {size} tokens")


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
