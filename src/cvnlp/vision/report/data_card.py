"""The data card of pictures: what was prepared, in numbers, tables and a look. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.datasets import Canvases
from cvnlp.report import plots

SHOWN_CLASSES = 12  # a row each
SHOWN_EACH = 16


def draw_card(data: Path, facts: VisionFacts, folder: Path) -> list[str]:
    """The card as Markdown; its figure goes into `folder` and is linked by name."""
    height, width, channels = facts.shape
    scale = ", ".join(f"{mean:.4f} ± {std:.4f}" for mean, std in zip(facts.mean, facts.std, strict=True))
    lines = [
        f"{len(facts.classes)} classes, {height} x {width} x {channels}; "
        f"mean ± standard deviation of the training pixels in [0, 1], by channel: {scale}.",
        "",
        _counts(facts).to_markdown(index=False),
        "",
        *_examples(data, facts, folder),
        *(_canvas(data, facts, facts.canvases, folder) if facts.canvases else []),
    ]
    if facts.conflicting:
        lines += [f"{facts.conflicting:,} contents stand under more than one class.", ""]
    return lines


def _counts(facts: VisionFacts) -> pd.DataFrame:
    """A row per class, or where there are many only their extremes, and the sum."""
    table = pd.DataFrame(facts.counts)[list(prepared.SPLITS)]
    total = table.sum().rename("all")
    if len(table) > 2 * SHOWN_CLASSES:
        table = pd.DataFrame({"the smallest class": table.min(), "the largest class": table.max()}).T
    table = pd.concat([table, total.to_frame().T])
    return table.rename_axis("class").reset_index()


def _examples(data: Path, facts: VisionFacts, folder: Path) -> list[str]:
    images, labels = (prepared.load_array(data, f"train_{kind}") for kind in ("images", "labels"))
    classes = list(enumerate(facts.classes))
    shown = [*classes[: SHOWN_CLASSES - 1], classes[-1]] if len(classes) > SHOWN_CLASSES else classes
    rows = [images[np.flatnonzero(labels == label)[:SHOWN_EACH]] for label, _ in shown]
    plots.draw_mosaic(rows, [name for _, name in shown], folder / "examples.png")
    return ["![The first training pictures of each class]({folder}/examples.png)", ""]


def _canvas(data: Path, facts: VisionFacts, canvases: Canvases, folder: Path) -> list[str]:
    """What background is, and the first canvas with the boxes of what stands on it."""
    height, width = canvases.size
    boxes = pd.read_csv(data / "validation_boxes.csv", dtype={"class": str}, keep_default_na=False)
    figure, (axis,) = plots.panels(1, width=3.4, height=3.4 * height / width)
    plots.show(axis, prepared.load_array(data, "validation_canvases")[0])
    axis.axis("off")
    for box in boxes[boxes["canvas"] == 0].to_dict("records"):
        plots.frame(axis, box, plots.COLOURS[4], label=box["class"])
    plots.save(figure, folder / "canvas.png")
    return [
        f"The last class, {facts.classes[-1]}, was made: windows of canvases on which no picture stands in the "
        f"middle, a share of {canvases.background:g} of every split, each of pictures of its own split. Copies are "
        f"counted among the others. {canvases.count} canvases of {height} x {width} with {canvases.pictures} "
        "validation pictures on each are there to be read as a whole; the first, with its boxes:",
        "",
        "![A canvas with its boxes]({folder}/canvas.png)",
        "",
    ]
