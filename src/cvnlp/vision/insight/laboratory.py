"""The convolution laboratory on disk: what the worked examples and a real picture show, for the report to draw."""

from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.vision.insight.convolution import (
    WORKED_ANSWER,
    WORKED_FILTER,
    WORKED_PICTURE,
    WORKED_SIGNAL,
    correlate,
    laboratory,
    numbers,
    superpose,
)


def save_laboratory(picture: np.ndarray, sharing: dict[str, float], folder: Path) -> dict[str, float]:
    """Arrays and numbers.json of a picture (H, W, C) in [0, 1] into `folder`; returns the numbers, flat.

    `sharing` are the numbers of shared weights and their unshared copies.
    """
    worked = {
        "worked_picture": WORKED_PICTURE,
        "worked_filter": WORKED_FILTER,
        "worked_map": correlate(WORKED_PICTURE, WORKED_FILTER, border="zero"),
        "worked_answers": superpose(WORKED_SIGNAL, WORKED_ANSWER),
    }
    for name, array in (laboratory(picture) | worked).items():
        prepared.save_array(folder, name, array)
    found = numbers(picture) | {f"sharing_{name}": value for name, value in sharing.items()}
    files.write_json(folder / "numbers.json", found)
    return found
