"""The data card of pictures: what was prepared, in numbers, tables and a look. Imports no torch."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvnlp import plots, prepared

SHOWN_CLASSES = 12  # a row each
SHOWN_EACH = 16


def draw_card(data: Path, facts: dict[str, Any], folder: Path) -> list[str]:
    """The card as Markdown; its figure goes into `folder` and is linked by name."""
    height, width, channels = facts["shape"]
    scale = ", ".join(f"{mean:.4f} ± {std:.4f}" for mean, std in zip(facts["mean"], facts["std"], strict=True))
    lines = [
        f"{len(facts['classes'])} classes, {height} x {width} x {channels}; "
        f"mean ± standard deviation of the training pixels in [0, 1], by channel: {scale}.",
        "",
        _counts(facts).to_markdown(index=False),
        "",
        *_examples(data, facts, folder),
    ]
    if facts["conflicting"]:
        lines += [f"{facts['conflicting']:,} contents stand under more than one class.", ""]
    return lines


def _counts(facts: dict[str, Any]) -> pd.DataFrame:
    """A row per class, or where there are many only their extremes, and the sum."""
    table = pd.DataFrame(facts["counts"])[list(prepared.SPLITS)]
    total = table.sum().rename("all")
    if len(table) > 2 * SHOWN_CLASSES:
        table = pd.DataFrame({"the smallest class": table.min(), "the largest class": table.max()}).T
    table = pd.concat([table, total.to_frame().T])
    return table.rename_axis("class").reset_index()


def _examples(data: Path, facts: dict[str, Any], folder: Path) -> list[str]:
    images, labels = (prepared.load_array(data, f"train_{kind}") for kind in ("images", "labels"))
    shown = list(enumerate(facts["classes"]))[:SHOWN_CLASSES]
    rows = [images[np.flatnonzero(labels == label)[:SHOWN_EACH]] for label, _ in shown]
    plots.draw_mosaic(rows, [name for _, name in shown], folder / "examples.png")
    return ["![The first training pictures of each class]({folder}/examples.png)", ""]
