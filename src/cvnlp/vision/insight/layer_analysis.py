"""The feature maps of a network, layer by layer: receptive fields, equivariance, and what activates the filters."""

from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.batches import count_images, evenly_spaced
from cvnlp.vision.insight.effective_fields import measure_fields
from cvnlp.vision.insight.equivariance import equivariance_errors
from cvnlp.vision.insight.filters import cut_patches, feature_maps, first_layer_filters, top_activations
from cvnlp.vision.insight.layers import Layers, feature_layers, last_layers, load_images
from cvnlp.vision.insight.receptive_fields import Fields, is_padding, receptive_fields


def analyse_first_layer(
    network: nn.Module, untrained: nn.Module, shape: list[int], options: VisionInsight, folder: Path
) -> None:
    """Write the filters of the first layer before and after training, if they are filters of an image."""
    before, after = (first_layer_filters(each, shape, options.filters) for each in (untrained, network))
    if before is not None and after is not None:
        prepared.save_array(folder, "filters", np.stack([before, after]))


def analyse_layers(
    network: nn.Module, untrained: nn.Module, data: Path, images: Tensor, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Return receptive fields and equivariance errors; write the tables, patches and maps behind them into `folder`.

    The tables are about all layers, scores and arrays about the last layer of each block. Empty without feature maps.
    """
    layers = feature_layers(network)
    if not layers:
        return {}
    fields = receptive_fields(network, layers, images[:1])
    few = images[evenly_spaced(len(images), options.gradient_images)]
    table, gradients = measure_fields(network, untrained, few, fields)
    errors = equivariance_errors(network, layers, few, fields, options.equivariance_shifts)
    shown = last_layers([name for name, _ in layers if not is_padding(fields[name])])
    last = [(block, dict(layers)[name]) for block, name in shown.items()]
    dead = _save_patches(network, last, {block: fields[name] for block, name in shown.items()}, data, options, folder)
    _save_maps(network, last, data, options, folder)
    for block, name in shown.items():
        prepared.save_array(folder, f"gradient_{block}", gradients[name])
    table.insert(1, "block", table["layer"].map({name: block for block, name in shown.items()}))
    files.write_table(folder / "layers.csv", table)
    files.write_table(folder / "equivariance.csv", errors)
    return dead | _layer_scores(table.dropna(subset="block"), errors)


def _save_patches(
    network: nn.Module,
    layers: Layers,
    fields: dict[str, Fields | None],
    data: Path,
    options: VisionInsight,
    folder: Path,
) -> dict[str, float]:
    """Write the patches of training images with the highest activation; return the share of dead filters."""
    rows, train = (
        evenly_spaced(count_images(data, "train"), options.patch_images),
        prepared.load_array(data, "train_images"),
    )
    sizes = {"filters": options.filters, "patches": options.patches}
    activations = top_activations(network, layers, data, "train", rows, **sizes)
    for block, top in activations.items():
        prepared.save_array(folder, f"patches_{block}", cut_patches(train, top, fields[block]))
    return {f"dead_filters_{block}": top.dead for block, top in activations.items()}


def _save_maps(network: nn.Module, layers: Layers, data: Path, options: VisionInsight, folder: Path) -> None:
    row, total = options.feature_map_image, count_images(data, "validation")
    if row >= total:
        raise ValueError(f"insight.feature_map_image: {row}, but the {total} validation images are 0 to {total - 1}")
    image, _ = load_images(data, "validation", np.array([row]))
    prepared.save_array(folder, "image", image[0].permute(1, 2, 0).cpu().numpy())
    for block, maps in feature_maps(network, layers, image, options.filters).items():
        prepared.save_array(folder, f"maps_{block}", maps)


def _layer_scores(table: pd.DataFrame, errors: pd.DataFrame) -> dict[str, float]:
    """For each row: the longer side of its receptive field, or else the measured one; the error at the smallest shift.

    A layer without a field, or without an error, has no such score.
    """
    result: dict[str, float] = {}
    for row in table.to_dict("records"):
        block = row["block"]
        sides = [max(row[f"{kind}_height"], row[f"{kind}_width"]) for kind in ("field", "measured")]
        result |= {f"receptive_field_{block}": side for side in [side for side in sides if not np.isnan(side)][:1]}
        result[f"effective_field_{block}"] = row["effective"]
        for error in errors[errors["layer"] == row["layer"]]["difference"].dropna()[:1]:
            result[f"equivariance_error_{block}"] = error
    return result
