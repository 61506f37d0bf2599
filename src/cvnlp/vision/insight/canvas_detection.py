"""A classifier reads the canvases of a data set: scores, and on disk the tables and arrays that show them.

The last class is the background's. How good the reading would be without it is asked of the same network: the
probabilities of the others are then taken by themselves.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.networks import device
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.insight.detection import by_class, curve, detect, match, score
from cvnlp.vision.insight.fully_convolutional import Reader, Unreadable
from cvnlp.vision.insight.layers import evenly
from cvnlp.vision.models import Classifier

BATCH = 16  # canvases at a time
CURVE_POINTS = 200  # of each precision-recall curve that is kept


def read_canvases(
    network: Classifier, data: Path, classes: list[str], options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Scores, flat; for a network that cannot read canvases none, and the reason in unreadable.txt."""
    try:
        reader = Reader(network)
    except Unreadable as reason:
        files.write_text(folder / "unreadable.txt", f"{reason}\n")
        return {}
    pixels = prepared.load_array(data, "validation_canvases")
    there = pd.read_csv(data / "validation_boxes.csv", dtype={"class": str}, keep_default_na=False)
    logits, places, objects = _read(reader, pixels), reader.places(_images(pixels[:1])), classes[:-1]
    find = partial(detect, places=places, window=reader.window, classes=objects, overlap=options.nms_iou)
    found, without = find(logits.softmax(2)[..., :-1]), find(logits[..., :-1].softmax(2))
    result = score(found, there, objects, threshold=options.detection_threshold)
    scores_without = score(without, there, objects, threshold=options.detection_threshold)
    result |= {f"without_background_{name}": value for name, value in scores_without.items()}
    result |= _compare_with_sliding(reader, _images(pixels[:1]))
    _save_tables(found, without, there, objects, options.detection_threshold, folder)
    options = options.model_copy(update={"canvases_shown": min(options.canvases_shown, len(pixels))})
    chosen_by = {"threshold": options.detection_threshold, "first": options.canvases_shown}
    files.write_json(folder / "numbers.json", result | chosen_by)
    sure = found[found["score"] >= options.detection_threshold]
    chosen = _chosen(sure, there, len(pixels), options.canvases_shown)
    _save_shown(pixels, logits.softmax(2), places, chosen, classes, folder)
    return {f"reading_{name}": value for name, value in result.items()}


def _images(pixels: np.ndarray) -> Tensor:
    """(N, H, W, C) of 0 to 255 -> (N, C, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).to(device()).float() / 255


@torch.inference_mode()
def _read(reader: Reader, pixels: np.ndarray) -> Tensor:
    """Logits float64 (canvases, windows, classes): in float32 the sure ones of neighbours would be equally sure."""
    batches = (_images(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH))
    return torch.cat([reader.read(images).double().flatten(2).permute(0, 2, 1) for images in batches])


@torch.inference_mode()
def _compare_with_sliding(reader: Reader, canvas: Tensor) -> dict[str, float]:
    """What one pass saves, in multiplications, and the largest difference of a probability that it makes."""
    sliding, at_once = reader.multiply_adds(canvas)
    difference = reader.read(canvas).softmax(1) - reader.slide(canvas).softmax(1)
    return {
        "multiply_adds": at_once,
        "multiply_adds_ratio": sliding / at_once,
        "difference": float(difference.abs().max()),
    }


def _save_tables(
    found: pd.DataFrame, without: pd.DataFrame, there: pd.DataFrame, classes: list[str], threshold: float, folder: Path
) -> None:
    """found.csv: the sure boxes; boxes.csv: the objects; classes.csv; curves.csv: precision and recall."""
    matched, located = match(found, there), match(found, there, by_class=False)
    sure = (found["score"] >= threshold).to_numpy()
    files.write_table(folder / "found.csv", found.assign(right=matched >= 0, located=located >= 0)[sure])
    files.write_table(folder / "boxes.csv", there.assign(found=there.index.isin(matched[sure])))
    files.write_table(folder / "classes.csv", by_class(found, there, classes, threshold=threshold))
    curves = {
        "found and named": curve(found, matched >= 0, len(there)),
        "found": curve(found, located >= 0, len(there)),
        "without background": curve(without, match(without, there) >= 0, len(there)),
    }
    thinned = [table.iloc[evenly(len(table), CURVE_POINTS)].assign(curve=name) for name, table in curves.items()]
    files.write_table(folder / "curves.csv", pd.concat(thinned))


def _chosen(found: pd.DataFrame, there: pd.DataFrame, count: int, wanted: int) -> np.ndarray:
    """The first `wanted` of `count` canvases and then, as many, those of the others with the most mistakes."""
    matched = match(found, there)
    wrong = [*found["canvas"][matched < 0], *there["canvas"][~there.index.isin(matched)]]
    mistakes = np.bincount(np.array(wrong, dtype=int), minlength=count)
    worst = wanted + np.argsort(-mistakes[wanted:], kind="stable")[:wanted]
    return np.concatenate([np.arange(wanted), worst])


def _save_shown(
    pixels: np.ndarray, probabilities: Tensor, places: Tensor, chosen: np.ndarray, classes: list[str], folder: Path
) -> None:
    """These canvases, their numbers, and in everywhere.csv each of their windows that is not of the background."""
    prepared.save_array(folder, "shown", chosen)
    prepared.save_array(folder, "canvases", pixels[chosen])
    best, labels = probabilities[torch.from_numpy(chosen)].max(2)
    canvas, window = np.nonzero(labels.cpu().numpy() < len(classes) - 1)
    top, left = places.cpu().numpy()[window].T
    table = pd.DataFrame({"canvas": chosen[canvas], "top": top, "left": left})
    table["class"] = np.array(classes, dtype=object)[labels.cpu().numpy()[canvas, window]]
    files.write_table(folder / "everywhere.csv", table.assign(score=best.cpu().numpy()[canvas, window]))
