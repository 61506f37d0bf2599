"""The report's figures of a network's layers: filters, receptive fields, feature maps. Imports no torch."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from cvnlp.data import prepared
from cvnlp.report import galleries, picture_grid, plots
from cvnlp.report.elements import Column, Element, Figure, Pictures, Table, single_figure

STAGES = ("before training", "after training")
ENLARGED, FRAME = 12, 3  # pixels: the side of one of a gradient image, and the line of a frame
SMALL = 0.7  # inches, of a filter or feature map: there are many next to each other


def filters(details: Path, path: Path) -> Pictures:
    """The weights of the first layer as pictures."""
    weights = prepared.load_array(details, "filters")
    shades = 0.5 + weights / (2 * max(float(np.abs(weights).max()), 1e-12))
    titles = [[str(number) for number in range(1, weights.shape[1] + 1)]] * len(STAGES)
    title = "Filters of the first layer"
    caption = "Before training (top) and after (bottom). Grey is zero, white is positive, black is negative."
    alternative, rows = f"Weights of {weights.shape[1]} filters as grey or colour images", [list(row) for row in shades]
    return galleries.gallery(title, caption, rows, titles, path, alternative, row_titles=STAGES, size=SMALL)


def layer_elements(details: Path, folder: Path) -> list[Element]:
    """Receptive fields and equivariance of all layers; of each block gradients, patches and feature maps."""
    layers = pd.read_csv(details / "layers.csv", dtype={"block": str})
    blocks = layers.dropna(subset="block")
    return [
        _layer_table(layers, pd.read_csv(details / "equivariance.csv")),
        _receptive_fields(blocks, details, folder / "receptive_fields.png"),
        *(_patches(block, details, folder) for block in blocks["block"]),
        _feature_maps(list(blocks["block"]), details, folder / "feature_maps.png"),
    ]


def _layer_table(layers: pd.DataFrame, differences: pd.DataFrame) -> Table:
    columns = [
        Column("layer", layers["layer"]),
        Column("feature map", [f"{row.height} x {row.width} x {row.channels}" for row in layers.itertuples()]),
        *(Column(title, _sides(layers, name)) for name, title in SIDES.items()),
        Column("90 % of the gradient, before training", layers["effective_before"].tolist(), ",d"),
        Column("after training", layers["effective"].tolist(), ",d"),
    ]
    caption = (
        "In pixels of the image: the receptive field of a unit in theory and as measured within the image, its "
        "stride, and the side of the square that holds 90 % of the gradient of the central unit (effective receptive "
        "field). The equivariance error is the difference between the feature map of a shifted image and the shifted "
        "feature map, relative to the part of the map that depends on the image: 0 is equivariance."
    )
    return Table("Receptive fields and equivariance", (*columns, *_equivariance(layers, differences)), caption)


SIDES = {"field": "receptive field", "measured": "measured", "stride": "stride"}


def _sides(layers: pd.DataFrame, name: str) -> list[str | None]:
    pairs = layers[[f"{name}_height", f"{name}_width"]].to_numpy(float)
    return [None if np.isnan(pair).any() else " x ".join(f"{side:g}" for side in pair) for pair in pairs]


def _equivariance(layers: pd.DataFrame, differences: pd.DataFrame) -> list[Column]:
    return [
        Column(
            f"equivariance error, shift of {shift} px",
            layers["layer"].map(rows.set_index("layer")["difference"]).tolist(),
            ".3f",
        )
        for shift, rows in differences.groupby("shift")
    ]


def _receptive_fields(blocks: pd.DataFrame, details: Path, path: Path) -> Figure:
    title = "Gradient of the central unit of each block"
    gradients = [prepared.load_array(details, f"gradient_{block}") for block in blocks["block"]]
    rows = [
        [_framed(_heat(found[stage]), row) for found, (_, row) in zip(gradients, blocks.iterrows(), strict=True)]
        for stage in range(len(STAGES))
    ]
    titles = [list(blocks["block"])] * len(STAGES)
    picture_grid.draw_pictures(rows, titles, path, title=title, row_titles=STAGES, size=1.6)
    caption = (
        "Mean absolute gradient with respect to the pixels, before (top) and after (bottom) training; each image is "
        "scaled to its own maximum. The blue frame is the theoretical receptive field; the gradient is concentrated "
        "in its middle."
    )
    return single_figure(
        title, caption, path, f"Gradient images of {', '.join(blocks['block'])} before and after training"
    )


def _heat(gradient: np.ndarray) -> np.ndarray:
    """A gradient (H, W) in the colours of a heat map, relative to its maximum; (H, W, 3) uint8."""
    return colormaps["magma"](gradient / max(float(gradient.max()), 1e-12), bytes=True)[..., :3]


def _framed(picture: np.ndarray, row: pd.Series) -> np.ndarray:
    """The enlarged picture with a frame around the receptive field of the central unit, as far as it is inside."""
    enlarged = picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    if np.isnan(row["field_height"]):
        return enlarged
    middles = (row[f"centre_{side}"] + row[f"stride_{side}"] * (row[side] // 2) + 0.5 for side in ("height", "width"))
    halves = (row[f"field_{side}"] / 2 for side in ("height", "width"))
    edges = [(middle - half, middle + half) for middle, half in zip(middles, halves, strict=True)]
    outline = np.zeros(enlarged.shape[:2], bool)
    for inset, value in ((0, True), (FRAME, False)):
        ends = [(round(low * ENLARGED) + inset, round(high * ENLARGED) - inset) for low, high in edges]
        rows, columns = (slice(max(0, low), max(0, high)) for low, high in ends)
        outline[rows, columns] = value
    enlarged[outline] = np.rint(255 * np.array(to_rgb(plots.COLOURS[5])))
    return enlarged


def _patches(block: str, details: Path, folder: Path) -> Pictures:
    patches = prepared.load_array(details, f"patches_{block}")
    names = [str(number) for number in range(1, len(patches) + 1)]
    caption = (
        f"A row for each filter of {block}: the patches of training images that activate it most, as large as its "
        "receptive field. Grey lies outside the image."
    )
    title, alternative = f"{block}: patches with the highest activation", f"Image patches that activate {block} most"
    return galleries.strips(title, caption, list(patches), names, folder / f"patches_{block}.png", alternative)


def _feature_maps(blocks: list[str], details: Path, path: Path) -> Pictures:
    picture = prepared.load_array(details, "image")
    rows = [[picture, *_shades(prepared.load_array(details, f"maps_{block}"))] for block in blocks]
    titles = [["input", *(str(number) for number in range(1, len(row)))] for row in rows]
    title = "Feature maps of one validation image"
    caption = "A row for each block, a column for each filter. White is a high activation, on one scale for each block."
    alternative = f"Feature maps of {', '.join(blocks)} as grey images, next to the input image"
    return galleries.gallery(title, caption, rows, titles, path, alternative, row_titles=blocks, size=SMALL)


def _shades(maps: np.ndarray) -> np.ndarray:
    """Maps (N, H, W) scaled to [0, 1], as grey pictures (N, H, W, 1)."""
    low, high = float(maps.min()), float(maps.max())
    return (maps[..., None] - low) / max(high - low, 1e-12)
