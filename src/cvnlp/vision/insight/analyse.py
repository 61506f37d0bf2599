"""What an image classifier has learned, and how its layers work, as arrays and numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.insight.attribution import look
from cvnlp.vision.insight.confusions import confusions, predict, reliability
from cvnlp.vision.insight.effective_fields import measure
from cvnlp.vision.insight.filters import feature_maps, first_weights, patches, strongest
from cvnlp.vision.insight.invariance import accuracy, curves, equivariance, transform, turns_and_shifts, worst_case
from cvnlp.vision.insight.laboratory import save_laboratory
from cvnlp.vision.insight.layers import Layers, blocks, count, evenly, feature_layers, pictures
from cvnlp.vision.insight.receptive_fields import Fields, is_border, theory
from cvnlp.vision.insight.weight_sharing import compare_gradients
from cvnlp.vision.models import Classifier


def analyse(
    network: Classifier, untrained: Classifier, data: Path, facts: VisionFacts, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Scores, flat; tables and arrays go into `folder`, those of layers only for a network that has maps.

    `untrained` is the network as it was before training. Validation images, and the
    training images that excite a filter most: the test split is for `evaluate` alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _save_weights(network, untrained, facts.shape, options.filters, folder)
    images, labels = pictures(data, "validation", evenly(count(data, "validation"), options.validation_images))
    result = _analyse_layers(network, untrained, data, images, options, folder)
    result |= _analyse_convolution(network, data, images, labels, options, folder)
    result |= _analyse_limits(network, images, labels, facts.classes, options, folder)
    result |= _analyse_attention(network, data, facts.classes, options, folder)
    if facts.canvases:
        # imported here: torchvision's operators bring torch's compiler with them, seconds that no other run needs
        from cvnlp.vision.insight.canvas_detection import read_canvases

        result |= read_canvases(network, data, facts.classes, options, folder / "reading")
    return result | _analyse_mistakes(network, data, facts.classes, options, folder)


def _save_weights(network: nn.Module, untrained: nn.Module, shape: list[int], wanted: int, folder: Path) -> None:
    before, after = (first_weights(each, shape, wanted) for each in (untrained, network))
    if before is not None and after is not None:
        prepared.save_array(folder, "filters", np.stack([before, after]))


def _analyse_convolution(
    network: nn.Module, data: Path, images: Tensor, labels: Tensor, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """The laboratory on the picture whose maps are shown, and what sharing weights means in the first layer."""
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        return {}
    few = slice(options.gradient_images)
    sharing = compare_gradients(network, images[few], labels[few])
    picture, _ = pictures(data, "validation", np.array([options.feature_map_image]))
    numbers = save_laboratory(picture[0].permute(1, 2, 0).cpu().double().numpy(), sharing, folder / "laboratory")
    return {f"convolution_{name}": value for name, value in numbers.items()}


def _analyse_layers(
    network: nn.Module, untrained: nn.Module, data: Path, images: Tensor, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Receptive fields and equivariance of every layer; what excites the last of each block, and its maps."""
    layers = feature_layers(network)
    if not layers:
        return {}
    fields = theory(network, layers, images[:1])
    few = images[evenly(len(images), options.gradient_images)]
    table, gradients = measure(network, untrained, few, fields)
    differences = equivariance(network, layers, few, fields, options.equivariance_shifts)
    shown = blocks([name for name, _ in layers if not is_border(fields[name])])
    last = [(block, dict(layers)[name]) for block, name in shown.items()]
    idle = _save_patches(network, last, {block: fields[name] for block, name in shown.items()}, data, options, folder)
    _save_maps(network, last, data, options, folder)
    for block, name in shown.items():
        prepared.save_array(folder, f"gradient_{block}", gradients[name])
    table.insert(1, "block", table["layer"].map({name: block for block, name in shown.items()}))
    files.write_table(folder / "layers.csv", table)
    files.write_table(folder / "equivariance.csv", differences)
    return idle | _layer_scores(table.dropna(subset="block"), differences)


def _save_patches(
    network: nn.Module,
    layers: Layers,
    fields: dict[str, Fields | None],
    data: Path,
    options: VisionInsight,
    folder: Path,
) -> dict[str, float]:
    """Returns the share of filters that answer every picture alike."""
    rows, train = evenly(count(data, "train"), options.patch_images), prepared.load_array(data, "train_images")
    numbers = {"filters": options.filters, "patches": options.patches}
    found = strongest(network, layers, data, "train", rows, **numbers)
    for block, excited in found.items():
        prepared.save_array(folder, f"patches_{block}", patches(train, excited, fields[block]))
    return {f"idle_filters_{block}": excited.idle for block, excited in found.items()}


def _save_maps(network: nn.Module, layers: Layers, data: Path, options: VisionInsight, folder: Path) -> None:
    row, total = options.feature_map_image, count(data, "validation")
    if row >= total:
        raise ValueError(f"insight.picture: {row} is past the last of the {total} validation pictures, {total - 1}")
    image, _ = pictures(data, "validation", np.array([row]))
    prepared.save_array(folder, "picture", image[0].permute(1, 2, 0).cpu().numpy())
    for block, maps in feature_maps(network, layers, image, options.filters).items():
        prepared.save_array(folder, f"maps_{block}", maps)


def _layer_scores(table: pd.DataFrame, differences: pd.DataFrame) -> dict[str, float]:
    """Of the last layer of each block: the longer side of its field, measured where theory knows none; the difference
    under the smallest move.
    """
    result: dict[str, float] = {}
    for row in table.to_dict("records"):
        sides = [row[f"{kind}_{side}"] for kind in ("field", "measured") for side in ("height", "width")]
        known = [side for side in (max(sides[:2]), max(sides[2:])) if side == side]
        result |= {f"receptive_field_{row['block']}": side for side in known[:1]}
        result[f"effective_field_{row['block']}"] = row["effective"]
        for difference in differences[differences["layer"] == row["layer"]]["difference"].dropna()[:1]:
            result[f"equivariance_error_{row['block']}"] = difference
    return result


def _analyse_limits(
    network: nn.Module, images: Tensor, labels: Tensor, classes: list[str], options: VisionInsight, folder: Path
) -> dict[str, float]:
    shifts = options.shifts
    grid = {"rotation": options.rotations, "scale": options.scales, "right": shifts, "down": shifts}
    unchanged, table = accuracy(network, images, labels), curves(network, images, labels, grid)
    files.write_table(folder / "limits.csv", table)
    chosen = evenly(len(images), options.worst_case_images)
    return {
        "accuracy_unchanged": unchanged,
        **{f"mean_accuracy_{change}": mean for change, mean in table.groupby("change")["accuracy"].mean().items()},
        "worst_case_accuracy": _analyse_worst_case(network, images[chosen], labels[chosen], classes, options, folder),
    }


def _analyse_worst_case(
    network: nn.Module, images: Tensor, labels: Tensor, classes: list[str], options: VisionInsight, folder: Path
) -> float:
    points = turns_and_shifts(
        rotation=options.max_rotation,
        rotations=options.rotation_steps,
        shift=options.max_shift,
        shifts=options.shift_steps,
    )
    share, fooled = worst_case(network, images, labels, points)
    row = {
        "rotation": options.max_rotation,
        "shift": options.max_shift,
        "points": len(points),
        "pictures": len(images),
    }
    files.write_table(folder / "worst.csv", pd.DataFrame([row | {"accuracy": share}]))
    _save_fooled(fooled, images, labels, classes, options.images_per_pair, folder)
    return share


def _save_fooled(
    fooled: pd.DataFrame, images: Tensor, labels: Tensor, classes: list[str], wanted: int, folder: Path
) -> None:
    """Some pictures that a turn and a shift make read wrong, as they were and as they are then."""
    shown = fooled.iloc[evenly(len(fooled), wanted)]
    rows, names = [int(row) for row in shown["row"]], np.array(classes)
    changed = [
        transform(images[[row]], rotation=rotation, right=right, down=down)
        for row, (rotation, right, down) in zip(rows, shown[["rotation", "right", "down"]].to_numpy(float), strict=True)
    ]
    pairs = torch.stack([images[rows], torch.cat(changed)]) if len(rows) else images.new_zeros(2, *images[:0].shape)
    prepared.save_array(folder, "fooled", pairs.permute(0, 1, 3, 4, 2).cpu().numpy())
    read = names[shown["predicted"].to_numpy(dtype=int)]
    table = shown.drop(columns="row").assign(actual=names[labels.cpu().numpy()[rows]], predicted=read)
    files.write_table(folder / "fooled.csv", table)


def _analyse_attention(
    network: nn.Module, data: Path, classes: list[str], options: VisionInsight, folder: Path
) -> dict[str, float]:
    number, steps = options.attribution_images, options.attribution_steps
    scores, table, arrays = look(network, data, classes, number=number, steps=steps)
    files.write_table(folder / "attention.csv", table)
    for name, array in arrays.items():
        prepared.save_array(folder, name, array)
    return scores


def _analyse_mistakes(
    network: nn.Module, data: Path, classes: list[str], options: VisionInsight, folder: Path
) -> dict[str, float]:
    probabilities, labels = predict(network, data)
    pairs = confusions(probabilities, labels, classes, pairs=options.confused_pairs, examples=options.images_per_pair)
    table = reliability(probabilities, labels, classes, bins=options.bins)
    files.write_table(folder / "confusions.csv", pairs)
    files.write_table(folder / "reliability.csv", table)
    images = prepared.load_array(data, "validation_images")[pairs["index"].to_numpy(dtype=int)]
    prepared.save_array(folder, "confusions", images)
    return {
        "largest_confusion": int(pairs["times"].max()) if len(pairs) else 0,
        "least_reliable_accuracy": float(table["accuracy"].min()),
        "largest_gap": float(table["gap"].abs().max()),
    }
