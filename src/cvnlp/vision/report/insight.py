"""The report's section on what an image classifier has learned. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.report import galleries, plots
from cvnlp.report.elements import Element, Figure, Number, Numbers, Pictures, Table, Text, columns_of, single_figure
from cvnlp.report.labels import short_label
from cvnlp.vision.report.class_tables import SHOWN_CLASSES, prediction_titles, read_classes
from cvnlp.vision.report.convolution import convolution_section
from cvnlp.vision.report.detection import detection_section
from cvnlp.vision.report.layers import filters, layer_elements

SHOWN_ATTRIBUTIONS = 8
TRANSFORMATIONS = {
    "rotation": ("rotation", "angle, degrees anticlockwise"),
    "scale": ("scaling", "size relative to the original"),
    "right": ("horizontal shift", "pixels to the right"),
    "down": ("vertical shift", "pixels down"),
}


def insight_section(details: Path, folder: Path) -> list[Element]:
    """The elements of one run; its figures go into `folder`."""
    found: list[Element] = [filters(details, folder / "filters.png")] if (details / "filters.npy").is_file() else []
    if (details / "layers.csv").is_file():
        found += layer_elements(details, folder)
    found += [*_invariance(details, folder), *_attributions(details, folder), *_confusions(details, folder)]
    sections = {"detection": detection_section, "convolution": convolution_section}
    return found + [build(details / name, folder) for name, build in sections.items() if (details / name).is_dir()]


def _invariance(details: Path, folder: Path) -> list[Element]:
    """Accuracy under rotation, scaling and shifts, one at a time and in the worst combination."""
    found: list[Element] = [_transformed_accuracy(details, folder / "invariance.png")]
    if (details / "detection").is_dir():
        found.append(
            Text(
                "This network has a background class and has learned to predict it for digits that are off-centre or "
                "cut off by the edge. Its accuracy therefore falls earlier than that of a network without a "
                "background class."
            )
        )
    return [*found, _worst_case(details), *_misclassified(details, folder / "misclassified.png")]


def _transformed_accuracy(details: Path, path: Path) -> Figure:
    title, table = "Accuracy on transformed images", pd.read_csv(details / "invariance.csv")
    drawing, axes = plots.panels(3, title=title, width=3.4, height=2.9, sharey=True)
    panels = {"rotation": axes[0], "scale": axes[1], "right": axes[2], "down": axes[2]}
    for (name, axis), colour in zip(panels.items(), (plots.COLOURS[0],) * 3 + plots.COLOURS[1:2], strict=True):
        rows, (label, unit) = table[table["transformation"] == name], TRANSFORMATIONS[name]
        axis.plot(rows["amount"], rows["accuracy"], color=colour, marker="o", markersize=4, label=f"{label}: {unit}")
        axis.set(title=label, xlabel=unit, ylim=(0, 1.02))
    axes[2].set(title="shift", xlabel="pixels")
    axes[2].legend(loc="lower center", fontsize=8)
    axes[0].set_ylabel("validation accuracy")
    plots.save(drawing, path)
    caption = "Accuracy on validation images after a rotation, a scaling or a shift; the images are black outside."
    return single_figure(title, caption, path, "Line plots of accuracy against the angle, the scale and the shift")


def _worst_case(details: Path) -> Numbers:
    """Engstrom et al. 2019: an image counts only if every transformation of a grid leaves it classified correctly."""
    worst = pd.read_csv(details / "worst_case.csv").iloc[0]
    return Numbers(
        "Worst case over rotations and shifts combined",
        (
            Number("images classified correctly after every transformation", float(worst["accuracy"]), format=".1%"),
            Number("images", int(worst["images"])),
            Number("transformations of each image", int(worst["points"])),
            Number("largest rotation", float(worst["rotation"]), "degrees", "g"),
            Number("largest shift", float(worst["shift"]), "pixels in each direction", "g"),
        ),
    )


def _misclassified(details: Path, path: Path) -> list[Pictures]:
    table = read_classes(details / "misclassified.csv")
    if not len(table):
        return []
    originals, transformed = prepared.load_array(details, "misclassified")
    below = [
        f"{row.rotation:g}°, {row.right:g}, {row.down:g}: {short_label(str(row.predicted))}"
        for row in table.itertuples()
    ]
    title = "Images misclassified after a small rotation and shift"
    rows = {"original": list(originals), "transformed": list(transformed)}
    titles = [[short_label(name) for name in table["actual"]], below]
    caption = (
        "Top: images classified correctly, with their class. Bottom: the same images after the smallest transformation "
        "that changes the prediction (degrees, pixels right, pixels down: predicted class)."
    )
    alternative = f"{len(table)} validation images before and after a rotation and shift"
    return [galleries.gallery(title, caption, list(rows.values()), titles, path, alternative, row_titles=list(rows))]


def _attributions(details: Path, folder: Path) -> list[Element]:
    if (details / "attribution_not_valid.txt").is_file():
        return [Text((details / "attribution_not_valid.txt").read_text(encoding="utf-8").strip())]
    table, path = read_classes(details / "attribution.csv"), folder / "attributions.png"
    shown = np.linspace(0, len(table) - 1, min(SHOWN_ATTRIBUTIONS, len(table))).astype(int)
    images, added = prepared.load_array(details, "attributed_images"), prepared.load_array(details, "attributions")
    titles = prediction_titles(table.iloc[shown], confidence=False)
    pictures = [[images[index] for index in shown], [plots.signed_colours(added[index]) for index in shown]]
    title, rows = "Pixel attributions by integrated gradients", ("image", "attribution")
    caption = (
        "Top: validation images, true class → predicted class. Bottom: the contribution of each pixel to the logit of "
        "the predicted class, relative to a black image. Orange pixels increase it, blue pixels decrease it."
    )
    drop, random = 100 * table["drop"].mean(), 100 * table["drop_random"].mean()
    deletion = (
        f"Blacking out the most important fifth of the lit pixels lowers the probability of the predicted class by "
        f"{drop:.1f} percentage points; a random fifth, by {random:.1f} (means of {len(table)} images)."
    )
    alternative, above = f"{len(shown)} images and their attribution maps", [titles, [""] * len(shown)]
    return [galleries.gallery(title, caption, pictures, above, path, alternative, row_titles=rows), Text(deletion)]


CONFUSIONS = {
    "actual": ("true class", None),
    "predicted": ("predicted class", None),
    "times": ("images", ",d"),
    "share": ("share of the true class", ".1%"),
}
RELIABILITY = {
    "class": ("predicted class", None),
    "predictions": ("images", ",d"),
    "confidence": ("mean confidence", ".3f"),
    "accuracy": ("accuracy", ".3f"),
    "accuracy_low": ("95 % interval, from", ".3f"),
    "accuracy_high": ("to", ".3f"),
    "gap": ("confidence - accuracy", ".3f"),
    "calibration_error": ("calibration error", ".3f"),
}


def _confusions(details: Path, folder: Path) -> list[Element]:
    """The most frequent confusions with examples, and how reliable the prediction of each class is."""
    pairs, found = read_classes(details / "confusions.csv"), list[Element]()
    if len(pairs):
        different = pairs.drop_duplicates(["actual", "predicted"])
        caption = "On the validation split, the most frequent first."
        found = [
            Table("Most frequent confusions", columns_of(different, CONFUSIONS), caption),
            _confused(pairs, prepared.load_array(details, "confusions"), folder / "confusions.png"),
        ]
    caption = (
        "Accuracy of the predictions of each class on the validation split, with Wilson's interval. This split also "
        "chose the epoch, so new images may give lower values."
    )
    reliability = read_classes(details / "reliability.csv")
    if len(reliability) > SHOWN_CLASSES:
        caption += f" The {SHOWN_CLASSES} of {len(reliability):,} classes that were predicted least reliably."
        reliability = reliability.sort_values("calibration_error", ascending=False, kind="stable").head(SHOWN_CLASSES)
    return [*found, Table("Reliability of the predictions by class", columns_of(reliability, RELIABILITY), caption)]


def _confused(pairs: pd.DataFrame, images: np.ndarray, path: Path) -> Pictures:
    title = "Examples of the most frequent confusions"
    titles = plots.in_rows(prediction_titles(pairs), 8)
    caption = (
        "Validation images, true class → predicted class (confidence); of each confusion the most confident first."
    )
    alternative = f"{len(pairs)} misclassified validation images"
    return galleries.gallery(title, caption, plots.in_rows(list(images), 8), titles, path, alternative)
