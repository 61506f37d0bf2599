"""Results of the stage `attack` of a classifier, as the report reads them."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp import files
from cvnlp.data import prepared


def write_attacked(folder: Path, *, examples: int = 0, raised: bool = False) -> Path:
    """The tables of an attack at eps 0.1, with so many images that it has broken."""
    flag = {"flag": "zero_gradients", "raised": int(raised), "value": 0.5, "limit": 0.1, "meaning": "vanishing"}
    files.write_table(folder / "flags.csv", pd.DataFrame([flag]))
    rows = [{"class": name, "eps": 0.1, "images": 4, "accuracy": 0.5} for name in ("1", "NA")]
    files.write_table(folder / "classes.csv", pd.DataFrame(rows))
    files.write_table(folder / "costs.csv", pd.DataFrame([{"attack": "pgd", "gradients": 9.5, "forwards": 11.5}]))
    series = pd.DataFrame(columns=["predicted", "confidence", "eps", "place", "actual"])
    files.write_table(folder / "series.csv", series)
    prepared.save_array(folder, "attacked", np.zeros((0, 1, 6, 6, 1), np.float32))
    if examples:
        _write_examples(folder, examples)
    return folder


def _write_examples(folder: Path, count: int) -> None:
    values = {"before": "1", "confidence_before": 0.99, "after": "7", "confidence_after": 0.51, "actual": "1"}
    table = pd.DataFrame([values] * count).assign(eps=0.1, norm="linf", size=0.05)
    files.write_table(folder / "examples.csv", table)
    arrays = {"example_clean": np.full((count, 6, 6, 1), 0.5), "example_attacked": np.full((count, 6, 6, 1), 0.55)}
    surface = np.linspace(1, -1, 5)[:, None] * np.ones(5)
    arrays |= {"loss_surface": surface, "loss_surface_axis": np.linspace(-0.2, 0.2, 5)}
    arrays |= {"attacked": np.full((count, 1, 6, 6, 1), 0.55)}
    for name, array in arrays.items():
        prepared.save_array(folder, name, array.astype(np.float32))
    prepared.save_array(folder, "rows", np.arange(count))
    at = {"predicted": {0.0: "1", 0.1: "7"}, "confidence": {0.0: 0.99, 0.1: 0.51}}
    rows = [
        {
            "predicted": at["predicted"][eps],
            "confidence": at["confidence"][eps],
            "eps": eps,
            "place": place,
            "actual": "1",
        }
        for eps in (0.0, 0.1)
        for place in range(count)
    ]
    files.write_table(folder / "series.csv", pd.DataFrame(rows))
