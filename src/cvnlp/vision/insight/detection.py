"""What a classifier's windows on a canvas find: the best of those that overlap, held against what is there.

Boxes are rows of tables with canvas, top, left, height, width and class, in pixels of the canvas.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

MATCHED = 0.5  # intersection over union from which a box counts as that of the object
FAINTEST = 0.05  # probability below which nothing is called found, however low the threshold


def detect(
    probabilities: Tensor, *, places: Tensor, window: tuple[int, int], classes: list[str], overlap: float
) -> pd.DataFrame:
    """A row for each box found, the surest first, with its `score`.

    `probabilities` (canvases, windows, classes), without a background's; `places` (windows, 2): top and left. Of
    boxes with an intersection over union above `overlap` only the surest stays, whatever their classes.
    """
    scores, labels = probabilities.max(2)
    canvas, chosen = torch.nonzero(scores >= FAINTEST, as_tuple=True)
    scores, labels = scores[canvas, chosen], labels[canvas, chosen]
    corners = torch.cat([places[chosen].flip(1), (places[chosen] + places.new_tensor(window)).flip(1)], dim=1)
    kept = batched_nms(corners.double(), scores, canvas, overlap).cpu()
    top, left = places[chosen].cpu()[kept].numpy().T
    found = pd.DataFrame({"canvas": canvas.cpu()[kept].numpy(), "top": top, "left": left})
    found[["height", "width"]] = window
    found["class"] = np.array(classes, dtype=object)[labels.cpu()[kept].numpy()]
    return found.assign(score=scores.cpu()[kept].numpy())


def match(found: pd.DataFrame, there: pd.DataFrame, *, by_class: bool = True) -> np.ndarray:
    """For each row of `found`, the surest first, the row of `there` that it found, or -1, (n,).

    That is the one it overlaps most, from `MATCHED` on, of those on the canvas that no surer one found; with
    `by_class` of its class.
    """
    agree = found["canvas"].to_numpy()[:, None] == there["canvas"].to_numpy()
    if by_class:
        agree &= found["class"].to_numpy()[:, None] == there["class"].to_numpy()
    overlaps = np.where(agree, box_iou(_corners(found), _corners(there)).numpy(), 0.0)
    matched = np.full(len(found), -1)
    for row in range(len(found) if len(there) else 0):
        best = int(overlaps[row].argmax())
        if overlaps[row, best] >= MATCHED:
            matched[row] = best
            overlaps[:, best] = 0.0
    return matched


def _corners(boxes: pd.DataFrame) -> Tensor:
    top, left, height, width = boxes[["top", "left", "height", "width"]].to_numpy(float).T
    return torch.from_numpy(np.stack([left, top, left + width, top + height], axis=1))


def curve(found: pd.DataFrame, right: np.ndarray, total: int) -> pd.DataFrame:
    """`precision` and `recall` of the boxes down to each `score`, of `total` objects; `found` is the surest first."""
    hits = np.cumsum(right)
    return pd.DataFrame(
        {"score": found["score"], "precision": hits / np.arange(1, len(hits) + 1), "recall": hits / total}
    )


def average_precision(points: pd.DataFrame) -> float:
    """The area under a curve: at every recall the best precision that it or a higher one comes with.

    All points are used, as PASCAL VOC does since 2010 (Everingham et al. 2015).
    """
    precision, recall = points["precision"].to_numpy(), points["recall"].to_numpy()
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * np.diff(recall, prepend=0.0)).sum())


def score(found: pd.DataFrame, there: pd.DataFrame, classes: list[str], *, threshold: float) -> dict[str, float]:
    """Precision and recall of the boxes from `threshold` on, with and without regard to their class; the mean AP."""
    table = by_class(found, there, classes, threshold=threshold)
    sure = found[found["score"] >= threshold]
    result: dict[str, float] = {}
    for name, regarded in (("", True), ("located_", False)):
        hits = int((match(sure, there, by_class=regarded) >= 0).sum())
        result |= {f"{name}precision": hits / max(len(sure), 1), f"{name}recall": hits / max(len(there), 1)}
    return result | {"map": float(table["average_precision"].mean())}


def by_class(found: pd.DataFrame, there: pd.DataFrame, classes: list[str], *, threshold: float) -> pd.DataFrame:
    """A row for each class that is there: objects, boxes from `threshold` on, how many are right, precision, ..."""
    rows = []
    for name in classes:
        boxes, objects = found[found["class"] == name], there[there["class"] == name]
        right, sure = match(boxes, objects) >= 0, boxes["score"].to_numpy() >= threshold
        hits = int((right & sure).sum())
        rows.append(
            {
                "class": name,
                "objects": len(objects),
                "found": int(sure.sum()),
                "right": hits,
                "precision": hits / max(int(sure.sum()), 1),
                "recall": hits / max(len(objects), 1),
                "average_precision": average_precision(curve(boxes, right, max(len(objects), 1))),
            }
        )
    return pd.DataFrame(rows).query("objects > 0")
