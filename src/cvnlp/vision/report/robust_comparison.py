"""Classifiers of one data set under attack, compared: smallest eps, transfer, and robust next to plain networks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.params.attacks import shown_strength
from cvnlp.params.runs import VisionRun
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import galleries, heat_maps, plots
from cvnlp.report.elements import Element, Figure, Pictures, Text, single_figure
from cvnlp.report.heat_maps import HeatMap, Style
from cvnlp.report.labels import short_label

TRANSFERRED = 0.01  # share of images that only a transferred attack breaks, from which a network is flagged
SHOWN_FILTERS, SHOWN_IMAGES = 8, 8


def robustness_section(runs: Mapping[str, RunPaths], blocks: Mapping[str, Any], folder: Path) -> list[Element]:
    """Figures for each data set, and for each adversarially trained network next to the same one trained plainly."""
    project = ProjectPaths(next(iter(runs.values())).root)
    found: list[Element] = []
    for dataset in dict.fromkeys(run.dataset for run in runs.values()):
        of_dataset = {name: run for name, run in runs.items() if run.dataset == dataset}
        found += _smallest(dataset, of_dataset, folder / f"smallest-eps-{dataset}.png")
        found += _transfer(dataset, project, folder / f"transfer-{dataset}.png")
    for plain, robust in _pairs(blocks):
        found += _next_to_each_other(plain, robust, runs, folder)
    return found


def _smallest(dataset: str, runs: Mapping[str, RunPaths], path: Path) -> list[Figure]:
    """The share of images that are broken by each eps or less, a line per run."""
    found = {
        name: np.sort(prepared.load_array(run.attacked, "smallest_eps"))
        for name, run in runs.items()
        if (run.attacked / "smallest_eps.npy").is_file()
    }
    found = {name: values for name, values in found.items() if len(values)}
    if not found:
        return []
    title, styles = f"Smallest eps that breaks an image of {dataset}", plots.line_styles(runs)
    drawing, (axis,) = plots.panels(1, title=title, width=5.6, height=3.4)
    for name, values in found.items():
        finite = values[np.isfinite(values)]
        shares = np.arange(1, len(finite) + 1) / len(values)
        axis.step([0.0, *finite], [0.0, *shares], where="post", label=short_label(name), **styles[name])
    axis.set(xlabel="eps", ylabel="share of test images", ylim=(-0.02, 1.02))
    drawing.legend(loc="outside right center")
    plots.save(drawing, path)
    caption = (
        "The share of test images for which a perturbation of at most eps was found that changes the class, by "
        "bisection between the strengths above. A robust network's curve is further to the right; it begins at the "
        "share of clean mistakes."
    )
    return [single_figure(title, caption, path, f"Cumulative curves for {', '.join(found)}")]


def _transfer(dataset: str, project: ProjectPaths, path: Path) -> list[Element]:
    """A heat map of all pairs of classifiers at one eps, and what transfer adds to the own attacks."""
    if not project.transfer.is_file():
        return []
    pairs, gains = pd.read_csv(project.transfer), pd.read_csv(project.transfer_gains)
    pairs, gains = pairs[pairs["dataset"] == dataset], gains[gains["dataset"] == dataset]
    if not len(pairs):
        return []
    eps = shown_strength(pairs["eps"])
    matrix = pairs[pairs["eps"] == eps].pivot_table(index="source", columns="target", values="accuracy", sort=False)
    title = f"Transfer between the classifiers of {dataset}, eps {eps:g}"
    _draw_transfer(matrix, title, path)
    caption = (
        "Accuracy of the network of each column on test images that were attacked for the network of each row. On the "
        "diagonal: the network's own attack."
    )
    alternative = f"Heat map of {len(matrix)} by {len(matrix.columns)} accuracies"
    return [single_figure(title, caption, path, alternative), Text(transfer_sentence(gains))]


def _draw_transfer(matrix: pd.DataFrame, title: str, path: Path) -> None:
    rows, columns = ([short_label(str(name)) for name in names] for names in (matrix.index, matrix.columns))
    values = matrix.to_numpy(float)
    texts = {place: f"{values[place]:.0%}" for place in np.ndindex(values.shape)}
    heat_maps.draw(
        [HeatMap(values, rows, columns, texts)],
        path,
        title=title,
        style=Style(cell=(0.6, 0.6), text_size=9),
        row_axis="attacked for",
        column_axis="classified by",
    )


def transfer_sentence(gains: pd.DataFrame) -> str:
    """Where transferred images break what the own attacks left standing. Columns: target, broken_by_transfer_alone."""
    most = gains.groupby("target", sort=False)["broken_by_transfer_alone"].max()
    flagged = most[most > TRANSFERRED]
    if not len(flagged):
        return (
            "No network has more than 1 % of images that only an attack on another network breaks: the networks' own "
            "attacks are not weaker than transferred ones."
        )
    named = ", ".join(f"{name} ({share:.1%})" for name, share in flagged.items())
    return (
        f"Images attacked for another network break some that the own attacks left standing: {named} of the images at "
        "one eps. The own attacks are too weak there, and robustness is overstated by at least as much."
    )


def _pairs(blocks: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names of the runs (plain, robust) that differ by adversarial training, not by network or data."""
    vision = {name: block for name, block in blocks.items() if isinstance(block, VisionRun)}
    return [
        (plain, robust)
        for robust, defended in vision.items()
        if defended.train.adversarial
        for plain, block in vision.items()
        if not block.train.adversarial and (block.dataset, block.model) == (defended.dataset, defended.model)
    ]


def _next_to_each_other(plain: str, robust: str, runs: Mapping[str, RunPaths], folder: Path) -> list[Pictures]:
    """The filters of the first layer and the attributions of the same images, of both networks."""
    folders = [runs[name].insight for name in (plain, robust)]
    names = [short_label(name) for name in (plain, robust)]
    if not all((place / f"{name}.npy").is_file() for place in folders for name in ("filters", "attributions")):
        return []
    return [
        _filters(folders, names, folder / f"filters-{plain}-{robust}.png"),
        _attributions(folders, names, folder / f"attributions-{plain}-{robust}.png"),
    ]


def _filters(folders: list[Path], names: list[str], path: Path) -> Pictures:
    filters = [prepared.load_array(folder, "filters")[1][:SHOWN_FILTERS] for folder in folders]  # trained
    rows = [[plots.signed_colours(one.mean(-1)) for one in of_run] for of_run in filters]
    title = "Filters of the first layer, without and with adversarial training"
    titles, alternative = [[""] * len(row) for row in rows], f"Filters of {' and '.join(names)}"
    caption = (
        "Orange weights are positive, blue ones negative, each filter relative to its largest weight. The networks "
        "have the same architecture and data; their filters are in no common order."
    )
    return galleries.gallery(title, caption, rows, titles, path, alternative, row_titles=names)


def _attributions(folders: list[Path], names: list[str], path: Path) -> Pictures:
    images = prepared.load_array(folders[0], "attributed_images")[:SHOWN_IMAGES]
    added = [prepared.load_array(folder, "attributions")[:SHOWN_IMAGES] for folder in folders]
    rows = [list(images), *([plots.signed_colours(one) for one in of_run] for of_run in added)]
    title = "Saliency, without and with adversarial training"
    titles, alternative = [[""] * len(images) for _ in rows], f"{len(images)} images and their attribution maps"
    caption = (
        "Integrated gradients on the same images: orange pixels raise the logit of the predicted class, blue ones "
        "lower it. Tsipras et al. (2019) found that those of robust networks follow the shapes more closely."
    )
    return galleries.gallery(title, caption, rows, titles, path, alternative, row_titles=("image", *names))
