"""The report's section on one classifier: scores by class, misclassified and adversarial images. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.report import galleries, plots
from cvnlp.report.comparison import Robustness
from cvnlp.report.elements import Element, Figure, Pictures, Table, Text, columns_of, single_figure
from cvnlp.report.labels import short_label
from cvnlp.report.learning import LearningCurves
from cvnlp.vision.report.class_tables import SHOWN_CLASSES, prediction_titles, read_classes
from cvnlp.vision.report.confusion import confusion_matrix
from cvnlp.vision.report.robustness import robustness_elements

TITLE = "Image classification"
LEARNING = LearningCurves(
    metric="validation_accuracy",
    label="validation accuracy",
    title="Learning curves",
    caption="Accuracy on the validation split after every epoch, a plot for each data set.",
    unit="images",
    lower_is_better=False,
)
ROBUSTNESS = Robustness(
    strength="eps",
    metric="accuracy",
    strength_label="eps",
    metric_label="test accuracy",
    attacks={
        "random": ("random", plots.GREY),
        "fgsm": ("FGSM", "#E69F00"),
        "pgd": ("PGD", "#D55E00"),
        "apgd_ce": ("+ APGD-CE", "#CC79A7"),
        "apgd_dlr": ("+ APGD-DLR", "#882255"),
        "apgd_t": ("+ APGD-T", "#56B4E9"),
        "fab_t": ("+ FAB-T", "#009E73"),
        "square": ("+ Square", "#0072B2"),
        "worst_case": ("worst case", "#000000"),
    },
    title="Accuracy under attack",
    caption="Accuracy on perturbed test images by eps, the largest change of a pixel (range 0 to 1) or, in the norm "
    "l2, the length of the perturbation. Random, FGSM and PGD are made on all images; each attack with a + only on "
    "those that no attack before it has broken. Worst case: no attack has broken the image, at this eps or a smaller "
    "one.",
    worst_title="Worst case of all runs",
    worst_caption="The share of test images that no attack has broken, by eps, for all runs of a data set.",
)
NAMED_ALL, NAMED_WORST = 10, 8  # classes in the legend of the curves: all of up to ten, or the eight worst of more
CLASS_SCORES = {
    "class": ("class", None),
    "precision": ("precision", ".3f"),
    "recall": ("recall", ".3f"),
    "f1": ("F1", ".3f"),
    "average_precision": ("average precision", ".3f"),
    "images": ("images", ",d"),
}


def run_section(details: Path, attacked: Path, folder: Path, *, data: Path) -> list[Element]:
    """The elements of one run on the prepared `data`; its figures go into `folder`."""
    classes = read_classes(details / "classes.csv")
    caption = "Of each class against all others. Classes without test images have no average precision."
    worst = classes.sort_values("f1", kind="stable").head(SHOWN_CLASSES) if len(classes) > SHOWN_CLASSES else classes
    if len(worst) < len(classes):
        caption += f" The {len(worst)} of {len(classes):,} classes with the lowest F1; classes.csv has all."
    return [
        *_confusion_and_calibration(details, list(classes["class"]), data, folder),
        _precision_recall(read_classes(details / "curves.csv"), classes, folder / "curves.png"),
        *_misclassified(details, folder / "mistakes.png"),
        *robustness_elements(attacked, data, folder),
        Table("Scores by class on the test split", columns_of(worst, CLASS_SCORES), caption),
    ]


def _confusion_and_calibration(details: Path, classes: list[str], data: Path, folder: Path) -> list[Element]:
    """Of too many classes the calibration alone, and a sentence."""
    if len(classes) > SHOWN_CLASSES:
        left_out = (
            f"The confusion matrix of {len(classes):,} classes is not drawn, because no row of it would be readable; "
            "confusion.csv of the evaluation has it."
        )
        first: Element = Text(left_out)
    else:
        first = confusion_matrix(details, data, folder / "confusion.png")
    return [first, _calibration(pd.read_csv(details / "calibration.csv"), folder / "calibration.png")]


def _calibration(table: pd.DataFrame, path: Path) -> Figure:
    drawing, (axis,) = plots.panels(1, title="Calibration, test split", width=4.4, height=4.2)
    axis.plot([0, 1], [0, 1], color=plots.GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    sizes = 12 + 160 * np.sqrt(table["images"] / table["images"].sum())
    label = "bins (the larger, the more images)"
    axis.scatter(table["confidence"], table["accuracy"], s=sizes, color=plots.COLOURS[0], label=label)
    axis.set(xlabel="mean confidence", ylabel="accuracy", xlim=(0, 1.04), ylim=(-0.02, 1.05))
    drawing.legend(loc="outside lower center")
    plots.save(drawing, path)
    caption = "Accuracy against confidence, in bins of confidence. Below the diagonal the network is overconfident."
    return single_figure("Calibration", caption, path, "Scatter plot of accuracy against confidence, with the diagonal")


def _precision_recall(curves: pd.DataFrame, classes: pd.DataFrame, path: Path) -> Figure:
    """The curves of the worst classes first; of more than ten classes, the better ones are grey."""
    average = classes.dropna(subset="average_precision").set_index("class")["average_precision"].sort_values()
    worst = list(average.index[: len(average) if len(average) <= NAMED_ALL else NAMED_WORST])
    styles, points = plots.line_styles(worst), dict(iter(curves.groupby("class")))
    drawing, (axis,) = plots.panels(1, title="Precision and recall of each class", width=5.6, height=4.2)
    for name in average.index[len(worst) :]:
        axis.plot(points[name]["recall"], points[name]["precision"], color="#CCCCCC", linewidth=0.6)
    for name in reversed(worst):
        label = f"{short_label(name)}: {average[name]:.3f}"
        axis.plot(points[name]["recall"], points[name]["precision"], **styles[name], label=label)
    shown = (min(0.9, max(0.0, 1 - 3 * (1 - average.iloc[0]) ** 0.5)), 1.005)  # the corner of the worst one's area
    axis.set(xlabel="recall", ylabel="precision", xlim=shown, ylim=shown)
    axis.locator_params(nbins=6)
    handles, labels = axis.get_legend_handles_labels()
    title = "average precision" if len(worst) == len(average) else "lowest average precision"
    axis.legend(handles[::-1], labels[::-1], title=title, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    plots.save(drawing, path)
    caption = (
        "Precision and recall of each class at every threshold, on the test split. The legend gives the area under "
        "each curve, the lowest first; the axes show only the corner in which the curves are."
    )
    return single_figure("Precision-recall curves", caption, path, f"Precision-recall curves of {len(average)} classes")


def _misclassified(details: Path, path: Path) -> list[Pictures]:
    table = read_classes(details / "mistakes.csv")
    if not len(table):
        return []
    images = prepared.load_array(details, "mistakes")
    title = "Most confident misclassifications"
    titles = plots.in_rows(prediction_titles(table), 6)
    caption = "Test images misclassified with the highest confidence: true class → predicted class (confidence)."
    rows, alternative = plots.in_rows(list(images), 6), f"{len(images)} misclassified test images"
    return [galleries.gallery(title, caption, rows, titles, path, alternative)]
