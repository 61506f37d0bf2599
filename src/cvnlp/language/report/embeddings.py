"""What the report shows of tokens as vectors. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from cvnlp.language.report.run import visible
from cvnlp.report import plots

SHOWN_TOKENS = 12  # with their neighbours, as a table


def draw_vectors(details: Path, folder: Path) -> list[str]:
    """The part of a network's section as Markdown; its figures go into `folder` and are linked by name."""
    similarity, relations = _tokens(details / "similarity.csv"), pd.read_csv(details / "relations.csv")
    _draw_projection(_tokens(details / "projection.csv"), folder / "embedding.png")
    _draw_similarity(similarity, folder / "similarity.png")
    lines = [
        "The most frequent tokens as vectors, on the plane on which they differ most, and the nearest of some:",
        "",
        "![Embedding]({folder}/embedding.png)",
        "",
        _neighbours(_tokens(details / "neighbours.csv")).to_markdown(index=False),
        "",
        "Numbered, tokens are vectors of which each two are as far apart as any others; learned ones are not. The "
        "cosine of the angles between some, as one-hot vectors and as those that it has learned:",
        "",
        "![Similarity of tokens]({folder}/similarity.png)",
        "",
    ]
    return lines + (_asked(relations) if len(relations) else [])


def _tokens(path: Path) -> pd.DataFrame:
    """A table of tokens as they are: `null` and `NA` are words, a quotation mark is a character."""
    return pd.read_csv(path, keep_default_na=False)


def _draw_projection(table: pd.DataFrame, path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=6.4, height=4.8)
    axis.scatter(table["x"], table["y"], s=4, color="#CCCCCC")
    for row in table.itertuples():
        axis.annotate(visible(str(row.token)), (row.x, row.y), fontsize=7, ha="center", va="center", parse_math=False)
    axis.set(title="embedding", xlabel="first principal component", ylabel="second")
    plots.save(figure, path)


def _draw_similarity(table: pd.DataFrame, path: Path) -> None:
    tokens = list(dict.fromkeys(table["token"]))
    size = len(tokens)
    learned = {name: table[name].to_numpy().reshape(size, size) for name in table.columns[2:]}
    titles = {"read": "learned, to read", "written": "learned, to write"}
    figure, axes = plots.panels(1 + len(learned), width=3.4, height=3.2)
    _draw_cosines(axes[0], np.eye(size), tokens, "one-hot")
    for axis, (name, cosines) in zip(axes[1:], learned.items(), strict=True):
        picture = _draw_cosines(axis, cosines, tokens, titles[name])
    figure.colorbar(picture, ax=axes, label="cosine", pad=0.01)
    plots.save(figure, path)


def _draw_cosines(axis: Axes, cosines: np.ndarray, tokens: list[str], title: str) -> AxesImage:
    names = [visible(str(token)) for token in tokens]
    axis.set(title=title)
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7, parse_math=False)
    axis.set_yticks(range(len(names)), names, fontsize=7, parse_math=False)
    axis.grid(visible=False)
    return axis.imshow(cosines, cmap="RdBu", vmin=-1, vmax=1)


def _neighbours(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for token in list(dict.fromkeys(table["token"]))[:SHOWN_TOKENS]:
        found = table[table["token"] == token]
        near = ", ".join(f"`{visible(str(row.neighbour))}` {row.cosine:.2f}" for row in found.itertuples())
        rows.append({"token": f"`{visible(str(token))}`", "nearest (cosine)": near})
    return pd.DataFrame(rows)


def _asked(relations: pd.DataFrame) -> list[str]:
    table = pd.DataFrame(
        {
            "relation": row.relation,
            "vectors": {"read": "to read", "written": "to write"}[str(row.vectors)],
            "questions": f"{row.questions:,}",
            "right": f"{row.accuracy:.1%}",
            "before training": f"{row.before:.1%}",
            "by guessing": f"{row.chance:.2%}",
        }
        for row in relations.itertuples()
    )
    return [
        "Relations that nobody taught. Of two pairs A : a and B : b, whether the vector a - A + B lies nearest to b; "
        "of each letter, whether the nearest one is a vowel like it, or a consonant like it:",
        "",
        table.to_markdown(index=False, disable_numparse=True),
        "",
    ]
