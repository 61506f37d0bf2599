"""Tables with names of classes, and titles of images by their classes. Imports no torch."""

from pathlib import Path

import pandas as pd

from cvnlp.report.labels import short_label

SHOWN_CLASSES = 100  # in the confusion matrix, and in tables by class
CLASS_COLUMNS = dict.fromkeys(("class", "actual", "predicted", "target", "before", "after"), str)


def read_classes(path: Path) -> pd.DataFrame:
    """A table with names of classes: a class may be called NA, only an empty cell is a missing value."""
    return pd.read_csv(path, dtype=CLASS_COLUMNS, keep_default_na=False, na_values=[""])


def prediction_titles(table: pd.DataFrame, *, confidence: bool = True) -> list[str]:
    """Titles of images: `7 → 9 (88%)`, the true and the predicted class, with the confidence."""
    pairs = zip(table["actual"], table["predicted"], strict=True)
    titles = [f"{short_label(actual)} → {short_label(predicted)}" for actual, predicted in pairs]
    if confidence:
        titles = [f"{title} ({share:.0%})" for title, share in zip(titles, table["confidence"], strict=True)]
    return titles
