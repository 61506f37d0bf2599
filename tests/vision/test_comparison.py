"""Results of single images, read from what `evaluate` writes."""

from pathlib import Path

import numpy as np
import pytest

from cvnlp import files
from cvnlp.vision import comparison


def write(folder: Path, rows: list[tuple[str, str]], classes: list[str]) -> Path:
    table = [(number, *row, 0.9, 0.9) for number, row in enumerate(rows)]
    header = ["index", "actual", "predicted", "confidence", "probability_of_actual"]
    files.write_rows(folder / "predictions.csv", header, table)
    files.write_rows(folder / "confusion.csv", classes, [])
    return folder


def test_class_names_are_compared_as_text(tmp_path: Path) -> None:
    names = ["01", "1", "nan", "None", "a,b"]
    folder = write(tmp_path, [("01", "1"), ("1", "1"), ("nan", "nan"), ("None", "None"), ("a,b", "a,b")], names)
    found = comparison.read_examples(folder, {"accuracy": 0.8, "images": 5})
    assert found is not None
    assert found.labels == tuple(names)
    assert found.correct.tolist() == [False, True, True, True, True]


def test_images_of_the_background_do_not_count(tmp_path: Path) -> None:
    rows = [("a", "a"), ("background", "background"), ("b", "background"), ("b", "b")]
    folder = write(tmp_path, rows, ["a", "b", "background"])
    found = comparison.read_examples(folder, {"accuracy": 2 / 3, "images": 3, "background_images": 1})
    assert found is not None
    assert found.labels == ("a", "b", "b")
    assert found.estimate().value == pytest.approx(2 / 3)


def test_a_class_with_the_name_background_counts_where_it_is_none(tmp_path: Path) -> None:
    folder = write(tmp_path, [("a", "a"), ("background", "a")], ["a", "background"])
    found = comparison.read_examples(folder, {"accuracy": 0.5, "images": 2})
    assert found is not None and len(found.correct) == 2


def test_an_evaluation_without_predictions_has_no_examples(tmp_path: Path) -> None:
    assert comparison.read_examples(tmp_path, {"accuracy": 0.5, "images": 2}) is None


def test_scores_give_the_same_estimate_as_the_examples(tmp_path: Path) -> None:
    correct = np.arange(500) % 41 > 0
    labels = tuple("ab"[number % 2] for number in range(500))
    scores = {"accuracy": float(correct.mean()), "images": 500}
    assert comparison.estimate(scores) == comparison.ClassifiedImages(labels, correct).estimate()
    assert comparison.example_count(scores) == 500
