"""The report on one classifier under attack: examples, flags, targeted attacks, corruptions. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.report import galleries, heat_maps, plots
from cvnlp.report.elements import Element, Figure, Pictures, Stepper, Table, Text, columns_of, single_figure
from cvnlp.report.heat_maps import HeatMap, Style
from cvnlp.report.labels import short_label
from cvnlp.vision.report.class_tables import prediction_titles, read_classes

FLAGS = {"flag": ("flag", None), "value": ("measured", ".3g"), "limit": ("limit", ".3g"), "meaning": ("meaning", None)}
NORMS = {"linf": "largest change of a pixel", "l2": "Euclidean length"}
CERTIFIED = {"radius": ("L2 radius", "g"), "accuracy": ("certified accuracy", ".3f")}
COSTS = {
    "attack": ("attack", None),
    "gradients": ("gradients per image", ",.1f"),
    "forwards": ("classifications per image", ",.1f"),
}
SHOWN_CLASSES = 20
SERIES = "series"  # of images at every eps, as chapters refer to it


def robustness_elements(attacked: Path, data: Path, folder: Path) -> list[Element]:
    """The elements of one run, from the results of its attacks on prepared `data`; the figures go into `folder`."""
    found: list[Element] = [_flags(attacked), *_examples(attacked, folder / "adversarial_examples.png")]
    found += _series(attacked, data, folder / SERIES)
    if (attacked / "targeted.csv").is_file():
        found += _targeted(read_classes(attacked / "targeted.csv"), folder / "targeted.png")
    found += _loss_surface(attacked, folder / "loss_surface.png")
    found += [_by_class(read_classes(attacked / "classes.csv")), _costs(pd.read_csv(attacked / "costs.csv"))]
    if (attacked / "corruptions.csv").is_file():
        found.append(_corruptions(pd.read_csv(attacked / "corruptions.csv"), folder / "corruptions.png"))
    if (attacked / "certified.csv").is_file():
        table = pd.read_csv(attacked / "certified.csv")
        caption = (
            "Of the smoothed classifier: the share of images whose class no perturbation within the radius changes."
        )
        found.append(Table("Certified accuracy by randomised smoothing", columns_of(table, CERTIFIED), caption))
    return found


def _flags(attacked: Path) -> Element:
    table = pd.read_csv(attacked / "flags.csv")
    raised = table[table["raised"] == 1]
    if not len(raised):
        return Text(
            f"None of the {len(table)} checks of the attacks (docs/attacks.md) found a sign that they are too weak."
        )
    caption = (
        "Signs that attacks by gradients are unreliable for this network. The worst case above is then an upper bound "
        "of its robust accuracy, which may be lower."
    )
    return Table("Flags of an untrustworthy robustness", columns_of(raised, FLAGS), caption)


def _examples(attacked: Path, path: Path) -> list[Pictures]:
    """Original, perturbation and perturbed image, a column for each image."""
    if not (attacked / "examples.csv").is_file():
        return []
    table = read_classes(attacked / "examples.csv")
    clean, perturbed = (prepared.load_array(attacked, f"example_{name}") for name in ("clean", "attacked"))
    scale = max(float(np.abs(perturbed - clean).max()), 1e-12)
    above, below = (
        [
            f"predicted: {short_label(name)}, {confidence:.0%}"
            for name, confidence in zip(table[when], table[f"confidence_{when}"], strict=True)
        ]
        for when in ("before", "after")
    )
    sizes = [f"size {size:.3g}" for size in table["size"]]
    title = f"Adversarial examples, eps {table['eps'].iloc[0]:g}"
    pictures = [list(clean), list((perturbed - clean) / (2 * scale) + 0.5), list(perturbed)]
    rows = ("original", "perturbation", "perturbed")
    caption = (
        "Top: images classified correctly, with the confidence. Middle: the perturbation that broke them, magnified "
        f"(black is -{scale:.3g}, grey 0, white +{scale:.3g}), with its size: {NORMS[table['norm'].iloc[0]]}. Bottom: "
        "the perturbed images, now misclassified."
    )
    alternative = f"{len(clean)} test images before and after an attack, with the perturbations"
    return [galleries.gallery(title, caption, pictures, [above, sizes, below], path, alternative, row_titles=rows)]


def _series(attacked: Path, data: Path, path: Path) -> list[Stepper]:
    """The same images at every eps: perturbation, and perturbed image with its prediction."""
    table, pictures = read_classes(attacked / "series.csv"), prepared.load_array(attacked, "attacked")
    if not len(table):
        return []
    places, strengths = table["place"].unique(), list(table["eps"].unique())
    clean = prepared.load_array(data, "test_images")[prepared.load_array(attacked, "rows")[places]] / 255
    steps = {}
    for number, eps in enumerate(strengths):
        images = pictures[places, number - 1] if number else clean
        changes = [plots.signed_colours(one.mean(-1)) for one in images - clean]
        titles = prediction_titles(table[table["eps"] == eps])
        rows = (("perturbation", changes, [""] * len(places)), ("perturbed", images, titles))
        steps[f"{eps:g}"] = (galleries.undrawn(f"eps {eps:g}", rows),)
    caption = (
        "The same test images at every eps: above, what was added (orange lighter, blue darker, each relative to its "
        "largest change); below, the result, with the true class → predicted class (confidence). An image that is "
        "not broken is shown with the last perturbation that was tried."
    )
    return [Stepper("Images under attack, by eps", caption, "eps", steps, path)]


def _targeted(table: pd.DataFrame, path: Path) -> list[Figure]:
    """The success of attacks from class A to class B as a heat map."""
    if not len(table):
        return []
    matrix = table.pivot_table(index="actual", columns="target", values="success", sort=False)
    names = list(dict.fromkeys([*table["target"], *table["actual"]]))
    matrix = matrix.reindex(index=[name for name in names if name in matrix.index], columns=names)
    title, values = "Success of targeted attacks", matrix.to_numpy(float)
    texts = {place: f"{100 * values[place]:.0f}" for place in zip(*np.nonzero(~np.isnan(values)), strict=True)}
    rows, columns = ([short_label(str(name)) for name in index] for index in (matrix.index, names))
    heat_maps.draw(
        [HeatMap(values, rows, columns, texts)],
        path,
        title=title,
        style=Style("Oranges"),
        row_axis="class A, the true class",
        column_axis="class B, the target",
    )
    caption = "The percentage of test images of class A that targeted PGD turns into class B."
    return [single_figure(title, caption, path, f"Heat map of success rates between {len(names)} classes")]


def _loss_surface(attacked: Path, path: Path) -> list[Figure]:
    if not (attacked / "loss_surface.npy").is_file():
        return []
    margins = prepared.load_array(attacked, "loss_surface").T  # from now on columns are steps along the attack
    steps = prepared.load_array(attacked, "loss_surface_axis")
    title = "Margin around an image"
    drawing, (axis,) = plots.panels(1, title=title, width=5.2, height=4.2)
    limit = max(float(np.abs(margins).max()), 1e-12)
    shown = axis.contourf(steps, steps, margins, levels=20, cmap="RdBu", vmin=-limit, vmax=limit)
    if margins.min() < 0 < margins.max():
        axis.contour(steps, steps, margins, levels=[0.0], colors="black", linewidths=1)
    drawing.colorbar(shown, ax=axis, label="logit of the label minus the largest other")
    axis.set(xlabel="along the attack", ylabel="along a random direction")
    plots.save(drawing, path)
    caption = (
        "The margin of the first image above, which is at (0, 0), moved along the perturbation that breaks it and "
        "along a random one. Below 0, beyond the black line, it is misclassified."
    )
    return [single_figure(title, caption, path, "Contour plot of the margin in two directions")]


def _by_class(table: pd.DataFrame) -> Table:
    """The worst case of the classes that are broken most often, a column per eps."""
    columns = dict.fromkeys(table["eps"])
    matrix = table.pivot_table(index="class", columns="eps", values="accuracy", sort=False)[list(columns)]
    worst = matrix.loc[matrix.mean(axis=1).sort_values(kind="stable").index].head(SHOWN_CLASSES).reset_index()
    titles = {"class": ("class", None)} | {eps: (f"eps {eps:g}", ".3f") for eps in columns}
    caption = "Share of the test images of each class that no attack has broken; the classes broken most come first."
    return Table("Worst case by class", columns_of(worst, titles), caption)


def _costs(table: pd.DataFrame) -> Table:
    caption = (
        "Gradients computed and images classified, per test image and for all eps together. Attacks after the first "
        "three are made on fewer images."
    )
    return Table("Cost of the attacks", columns_of(table, COSTS), caption)


def _corruptions(table: pd.DataFrame, path: Path) -> Figure:
    matrix = table.pivot_table(index="corruption", columns="strength", values="accuracy", sort=False)
    title, values = "Accuracy on corrupted images", matrix.to_numpy(float)
    names = [str(name).replace("_", " ") for name in matrix.index]
    texts = {place: f"{values[place]:.0%}" for place in np.ndindex(values.shape)}
    shown = HeatMap(values, names, [str(name) for name in matrix.columns], texts)
    heat_maps.draw([shown], path, title=title, style=Style(cell=(0.42, 0.28)), column_axis="strength")
    caption = (
        "Test images after corruptions that no attacker has chosen, at five strengths (after MNIST-C and ImageNet-C)."
    )
    return single_figure(title, caption, path, f"Heat map of the accuracy under {len(names)} corruptions")
