"""The report's data card of an image data set: numbers, counts and examples. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.datasets import Canvases
from cvnlp.report import galleries, plots
from cvnlp.report.elements import Column, Element, Number, Numbers, Pictures, Table, Text, single_figure
from cvnlp.report.labels import short_label

SHOWN_CLASSES = 12  # a row each
SHOWN_EACH = 16


def data_section(data: Path, facts: VisionFacts, folder: Path) -> list[Element]:
    """The elements on one data set; its figures go into `folder`."""
    return [
        _numbers(facts),
        _counts(facts),
        _examples(data, facts, folder / "examples.png"),
        *(_canvases(data, facts, facts.canvases, folder / "canvas.png") if facts.canvases else []),
    ]


def _numbers(facts: VisionFacts) -> Numbers:
    height, width, channels = facts.shape
    numbers = (
        Number("classes", len(facts.classes)),
        Number("image size", f"{height} x {width}", "pixels"),
        Number("channels", channels),
        Number("mean of the training pixels in [0, 1], by channel", tuple(facts.mean), format=".4f"),
        Number("standard deviation, by channel", tuple(facts.std), format=".4f"),
    )
    conflicting = (Number("images that occur in more than one class", facts.conflicting, format=",d"),)
    return Numbers("Images", numbers + (conflicting if facts.conflicting else ()))


def _counts(facts: VisionFacts) -> Table:
    """A row per class, or only the extremes where there are many, and the sum."""
    table = pd.DataFrame(facts.counts)[list(prepared.SPLITS)]
    total = table.sum().rename("all")
    if len(table) > 2 * SHOWN_CLASSES:
        table = pd.DataFrame({"smallest class": table.min(), "largest class": table.max()}).T
    table = pd.concat([table, total.to_frame().T])
    counts = (Column(split, table[split].tolist(), ",d") for split in prepared.SPLITS)
    return Table("Images by class and split", (Column("class", map(str, table.index)), *counts))


def _examples(data: Path, facts: VisionFacts, path: Path) -> Pictures:
    images, labels = (prepared.load_array(data, f"train_{kind}") for kind in ("images", "labels"))
    classes = list(enumerate(facts.classes))
    shown = [*classes[: SHOWN_CLASSES - 1], classes[-1]] if len(classes) > SHOWN_CLASSES else classes
    rows = [images[np.flatnonzero(labels == label)[:SHOWN_EACH]] for label, _ in shown]
    title = "Training images of each class"
    several = f"{len(shown)} of the {len(classes)} classes" if len(shown) < len(classes) else "each class"
    caption = f"The first training images of {several}, a row for each class."
    names = [short_label(name) for _, name in shown]
    return galleries.strips(title, caption, rows, names, path, f"Rows of example images of {len(shown)} classes")


def _canvases(data: Path, facts: VisionFacts, canvases: Canvases, path: Path) -> list[Element]:
    """How the class background was made, and the first canvas with the boxes of its objects."""
    height, width = canvases.size
    boxes = pd.read_csv(data / "validation_boxes.csv", dtype={"class": str}, keep_default_na=False)
    title = "A validation canvas with its ground-truth boxes"
    drawing, (axis,) = plots.panels(1, title=title, width=3.4, height=3.4 * height / width)
    plots.show(axis, prepared.load_array(data, "validation_canvases")[0])
    axis.axis("off")
    for box in boxes[boxes["canvas"] == 0].to_dict("records"):
        plots.frame(axis, box, plots.COLOURS[4], label=short_label(box["class"]))
    plots.save(drawing, path)
    text = (
        f"The last class, {facts.classes[-1]}, was generated: its images are windows of canvases without an object in "
        f"the centre. They are {canvases.background:.0%} of every split, made from images of the same split; none "
        "equals one of another split, and they are not counted among the exact copies. All scores are of the images of "
        f"objects, except the recall of the background. For detection there are {canvases.count} canvases of {height} "
        f"x {width} pixels with {canvases.pictures} validation images each, and as many with test images, on which it "
        "is scored."
    )
    caption = "The first canvas. Each box is labelled with the class of its object."
    return [Text(text), single_figure(title, caption, path, "A canvas with images at random positions and their boxes")]
