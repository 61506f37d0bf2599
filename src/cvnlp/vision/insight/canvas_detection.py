"""Sliding-window detection on the test canvases of a data set, with a fully convolutional network.

The last class is the background. Scores `without_background` are those of the same network with the probabilities of
the other classes alone, scaled to sum to 1.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.launch.devices import device
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.batches import evenly_spaced, to_tensor
from cvnlp.vision.inference import predict_outputs
from cvnlp.vision.insight.detection import detect, detection_scores, match, precision_recall_curve, scores_by_class
from cvnlp.vision.insight.fully_convolutional import NotConvertibleError, WindowClassifier
from cvnlp.vision.models import Classifier

SPLIT = "test"  # whose canvases are scored
BATCH = 16  # canvases
CURVE_POINTS = 200  # of each precision-recall curve, at most


class _Boxes(NamedTuple):
    """Predictions of the network, the same without its background class, and the ground truth."""

    predictions: pd.DataFrame
    without_background: pd.DataFrame
    ground_truth: pd.DataFrame


def analyse_canvases(
    network: Classifier, data: Path, classes: list[str], options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Return the scores of the detections; write tables and arrays into `folder`.

    A network that is not convertible has no scores; the reason is in not_convertible.txt.
    """
    try:
        classifier = WindowClassifier(network)
    except NotConvertibleError as reason:
        files.write_text(folder / "not_convertible.txt", f"{reason}\n")
        return {}
    pixels = prepared.load_array(data, f"{SPLIT}_canvases")
    canvas, objects = to_tensor(np.array(pixels[:1])).to(device()), classes[:-1]
    logits, corners = _classify_windows(classifier, pixels), classifier.corners(canvas)
    find = partial(detect, corners=corners, window=classifier.window, classes=objects, nms_iou=options.nms_iou)
    probabilities = logits.softmax(2).nan_to_num(0.0)  # a diverged network overflows
    boxes = _Boxes(find(probabilities[..., :-1]), find(logits[..., :-1].softmax(2)), _ground_truth(data))
    result = _scores(boxes, objects, options.detection_threshold) | _compare_with_sliding(classifier, canvas)
    shown = min(options.canvases_shown, len(pixels))
    files.write_json(
        folder / "numbers.json", result | {"threshold": options.detection_threshold, "canvases_shown": shown}
    )
    _save_tables(boxes, objects, options.detection_threshold, folder)
    chosen = _choose_canvases(boxes, options.detection_threshold, len(pixels), shown)
    _save_shown(pixels, probabilities, corners, chosen, classes, folder)
    return {f"detection_{SPLIT}_{name}": value for name, value in result.items()}


def _ground_truth(data: Path) -> pd.DataFrame:
    """A class may be called NA."""
    return pd.read_csv(data / f"{SPLIT}_boxes.csv", dtype={"class": str}, keep_default_na=False)


def _classify_windows(classifier: WindowClassifier, pixels: np.ndarray) -> Tensor:
    """Logits float64 (canvases, windows, classes): in float32 neighbours with high probabilities would be tied."""
    return predict_outputs(classifier, _batches(pixels)).double().flatten(2).permute(0, 2, 1)


def _batches(pixels: np.ndarray) -> Iterator[Tensor]:
    return (to_tensor(np.array(pixels[start : start + BATCH])) for start in range(0, len(pixels), BATCH))


def _scores(boxes: _Boxes, classes: list[str], threshold: float) -> dict[str, float]:
    result = detection_scores(boxes.predictions, boxes.ground_truth, classes, threshold=threshold)
    without = detection_scores(boxes.without_background, boxes.ground_truth, classes, threshold=threshold)
    return result | {f"without_background_{name}": value for name, value in without.items()}


@torch.inference_mode()
def _compare_with_sliding(classifier: WindowClassifier, canvas: Tensor) -> dict[str, float]:
    """Multiply-adds of one pass, how many times more separate windows need, and the largest difference they make."""
    separate, one_pass = classifier.multiply_adds(canvas)
    passes = (classifier(canvas), classifier.classify_separately(canvas))
    together, separately = (logits.softmax(1).nan_to_num(0.0) for logits in passes)  # a diverged network overflows
    return {
        "multiply_adds": one_pass,
        "multiply_adds_ratio": separate / one_pass,
        "one_pass_difference": float((together - separately).abs().max()),
    }


def _save_tables(boxes: _Boxes, classes: list[str], threshold: float, folder: Path) -> None:
    """predictions.csv (from the threshold on), ground_truth.csv, classes.csv and curves.csv."""
    predictions, without, ground_truth = boxes
    matched, located = match(predictions, ground_truth), match(predictions, ground_truth, class_agnostic=True)
    accepted = (predictions["score"] >= threshold).to_numpy()
    files.write_table(
        folder / "predictions.csv", predictions.assign(correct=matched >= 0, located=located >= 0)[accepted]
    )
    files.write_table(
        folder / "ground_truth.csv", ground_truth.assign(detected=ground_truth.index.isin(matched[accepted]))
    )
    files.write_table(folder / "classes.csv", scores_by_class(predictions, ground_truth, classes, threshold=threshold))
    total = len(ground_truth)
    curves = {
        "detected and classified": precision_recall_curve(predictions, matched >= 0, total),
        "detected, any class": precision_recall_curve(predictions, located >= 0, total),
        "without the background class": precision_recall_curve(without, match(without, ground_truth) >= 0, total),
    }
    thinned = [table.iloc[evenly_spaced(len(table), CURVE_POINTS)].assign(curve=name) for name, table in curves.items()]
    files.write_table(folder / "curves.csv", pd.concat(thinned))


def _choose_canvases(boxes: _Boxes, threshold: float, total: int, count: int) -> np.ndarray:
    """The first `count` of the canvases, and as many of the others with the most mistakes."""
    predictions, _, ground_truth = boxes
    accepted = predictions[predictions["score"] >= threshold]
    matched = match(accepted, ground_truth)
    wrong = [*accepted["canvas"][matched < 0], *ground_truth["canvas"][~ground_truth.index.isin(matched)]]
    mistakes = np.bincount(np.array(wrong, dtype=int), minlength=total)
    worst = count + np.argsort(-mistakes[count:], kind="stable")[:count]
    return np.concatenate([np.arange(count), worst])


def _save_shown(
    pixels: np.ndarray, probabilities: Tensor, corners: Tensor, chosen: np.ndarray, classes: list[str], folder: Path
) -> None:
    """The canvases, their numbers (shown.npy), and all their windows not classified as background (windows.csv)."""
    prepared.save_array(folder, "shown", chosen)
    prepared.save_array(folder, "canvases", pixels[chosen])
    best, labels = probabilities[torch.from_numpy(chosen)].max(2)
    canvas, window = np.nonzero(labels.cpu().numpy() < len(classes) - 1)
    top, left = corners.cpu().numpy()[window].T
    table = pd.DataFrame({"canvas": chosen[canvas], "top": top, "left": left})
    table["class"] = np.array(classes, dtype=object)[labels.cpu().numpy()[canvas, window]]
    files.write_table(folder / "windows.csv", table.assign(score=best.cpu().numpy()[canvas, window]))
