"""Object detection from classified windows: non-maximum suppression, matching with the ground truth, and its scores.

Boxes are tables with the columns canvas, top, left, height, width (in pixels of the canvas) and class; predictions also
have a score, and are sorted by it, the highest first.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

MATCH_IOU = 0.5  # intersection over union from which a prediction can match an object
MIN_SCORE = 0.05  # of a prediction, also for the precision-recall curve


def detect(
    probabilities: Tensor, *, corners: Tensor, window: tuple[int, int], classes: list[str], nms_iou: float
) -> pd.DataFrame:
    """Predicted boxes after class-agnostic non-maximum suppression: of boxes with an IoU above `nms_iou` one remains.

    `probabilities` (canvases, windows, classes) without a background class; `corners` (windows, 2) with top and left;
    `window` (height, width).
    """
    scores, labels = probabilities.max(2)
    canvas, chosen = torch.nonzero(scores >= MIN_SCORE, as_tuple=True)
    scores, labels = scores[canvas, chosen], labels[canvas, chosen]
    boxes = torch.cat([corners[chosen].flip(1), (corners[chosen] + corners.new_tensor(window)).flip(1)], dim=1)
    kept = batched_nms(boxes.double(), scores, canvas, nms_iou).cpu()
    top, left = corners[chosen].cpu()[kept].numpy().T
    predictions = pd.DataFrame({"canvas": canvas.cpu()[kept].numpy(), "top": top, "left": left})
    predictions[["height", "width"]] = window
    predictions["class"] = np.array(classes, dtype=object)[labels.cpu()[kept].numpy()]
    return predictions.assign(score=scores.cpu()[kept].numpy())


def match(predictions: pd.DataFrame, ground_truth: pd.DataFrame, *, class_agnostic: bool = False) -> np.ndarray:
    """For each prediction the row of the object that it matches, or -1, (n,).

    In the order of their scores, predictions match the object on their canvas with the largest IoU, at least
    `MATCH_IOU`, that has no match yet; unless `class_agnostic`, it must be of the same class.
    """
    comparable = predictions["canvas"].to_numpy()[:, None] == ground_truth["canvas"].to_numpy()
    if not class_agnostic:
        comparable &= predictions["class"].to_numpy()[:, None] == ground_truth["class"].to_numpy()
    overlaps = np.where(comparable, box_iou(_edges(predictions), _edges(ground_truth)).numpy(), 0.0)
    matched = np.full(len(predictions), -1)
    for row in range(len(predictions) if len(ground_truth) else 0):
        best = int(overlaps[row].argmax())
        if overlaps[row, best] >= MATCH_IOU:
            matched[row] = best
            overlaps[:, best] = 0.0
    return matched


def _edges(boxes: pd.DataFrame) -> Tensor:
    """Left, top, right and bottom, float64 (n, 4)."""
    top, left, height, width = boxes[["top", "left", "height", "width"]].to_numpy(float).T
    return torch.from_numpy(np.stack([left, top, left + width, top + height], axis=1))


def precision_recall_curve(predictions: pd.DataFrame, correct: np.ndarray, total: int) -> pd.DataFrame:
    """`precision` and `recall` at each `score` as the threshold; `correct` bool (n,), `total` objects."""
    hits = np.cumsum(correct)
    return pd.DataFrame(
        {"score": predictions["score"], "precision": hits / np.arange(1, len(hits) + 1), "recall": hits / total}
    )


def average_precision(curve: pd.DataFrame) -> float:
    """Area under a precision-recall curve, where the precision at a recall is the best at this or a higher one.

    Over all points, as in PASCAL VOC since 2010 (Everingham et al. 2015).
    """
    precision, recall = curve["precision"].to_numpy(), curve["recall"].to_numpy()
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * np.diff(recall, prepend=0.0)).sum())


def detection_scores(
    predictions: pd.DataFrame, ground_truth: pd.DataFrame, classes: list[str], *, threshold: float
) -> dict[str, float]:
    """Precision and recall of predictions from `threshold` on, also class-agnostic, and the mean average precision."""
    table = scores_by_class(predictions, ground_truth, classes, threshold=threshold)
    accepted = predictions[predictions["score"] >= threshold]
    result: dict[str, float] = {}
    for name, class_agnostic in (("", False), ("class_agnostic_", True)):
        hits = int((match(accepted, ground_truth, class_agnostic=class_agnostic) >= 0).sum())
        result |= {
            f"{name}precision": hits / max(len(accepted), 1),
            f"{name}recall": hits / max(len(ground_truth), 1),
        }
    return result | {"map": float(table["average_precision"].mean())}


def scores_by_class(
    predictions: pd.DataFrame, ground_truth: pd.DataFrame, classes: list[str], *, threshold: float
) -> pd.DataFrame:
    """A row for each class with objects: their number, predictions from `threshold` on, those correct, and scores."""
    rows = []
    for name in classes:
        boxes, objects = predictions[predictions["class"] == name], ground_truth[ground_truth["class"] == name]
        correct, accepted = match(boxes, objects) >= 0, boxes["score"].to_numpy() >= threshold
        hits, total = int((correct & accepted).sum()), len(objects)
        rows.append(
            {
                "class": name,
                "objects": total,
                "predictions": int(accepted.sum()),
                "correct": hits,
                "precision": hits / max(int(accepted.sum()), 1),
                "recall": hits / max(total, 1),
                "average_precision": average_precision(precision_recall_curve(boxes, correct, max(total, 1))),
            }
        )
    return pd.DataFrame(rows).query("objects > 0")
