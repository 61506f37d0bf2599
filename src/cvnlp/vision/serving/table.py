"""Tables of pictures in, tables of classes out: how MLflow calls an image classifier."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cvnlp.data.user_files import UnreadableFileError
from cvnlp.vision.serving import pictures
from cvnlp.vision.serving.classifier import ImageClassifier, Prediction

PREFIX = "probability_"  # of a class, whatever its name: no column has the name of another


def answer_table(model: ImageClassifier, rows: Sequence[Any], params: Mapping[str, Any]) -> pd.DataFrame:
    """For each picture a row with `class`, `class_id` and the probability of each class, probability_<class>.

    A row is text, a picture file in base64, or bytes, its content; or an array (H, W, C) or (H, W), all of one scale:
    whole numbers from 0 to 255, or numbers from 0 to 1. ValueError for other rows. There are no `params`.
    """
    files = [isinstance(row, str | bytes) for row in rows]
    if any(files) and not all(files):
        raise ValueError("either all pictures are texts in base64, or all are arrays")
    found = _of_files(model, rows) if any(files) else model.name(model.probabilities(_stacked(model, rows)))
    table = {"class": [one.label for one in found], "class_id": [one.index for one in found]}
    return pd.DataFrame(
        table | {f"{PREFIX}{name}": [one.probabilities[name] for one in found] for name in model.classes}
    )


def _of_files(model: ImageClassifier, rows: Sequence[str | bytes]) -> list[Prediction]:
    contents, reasons = [], {}
    for position, row in enumerate(rows):
        try:
            contents.append(pictures.from_base64(row) if isinstance(row, str) else row)
        except UnreadableFileError as error:
            reasons[position] = str(error)
    answers = [] if reasons else pictures.classify(model, contents)
    reasons |= {position: str(one) for position, one in enumerate(answers) if isinstance(one, UnreadableFileError)}
    if reasons:
        raise ValueError("; ".join(f"picture {position}: {reason}" for position, reason in reasons.items()))
    return [one for one in answers if isinstance(one, Prediction)]


def _stacked(model: ImageClassifier, rows: Sequence[Any]) -> np.ndarray:
    """The arrays as one (N, H, W, C)."""
    if not len(rows):
        return np.empty((0, *model.shape), np.uint8)
    try:
        arrays = [np.asarray(row) for row in rows]
    except ValueError:
        raise ValueError("a picture is no array: its rows have different lengths") from None
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"pictures of shapes {', '.join(map(str, sorted(shapes)))}: the network expects {model.shape}")
    return np.stack(arrays)
