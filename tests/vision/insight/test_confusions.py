"""Confusions of classes and reliability by predicted class, on made probabilities."""

import numpy as np
import pytest

from cvnlp.vision import metrics
from cvnlp.vision.insight.confusions import confusions, reliability

CLASSES = ["cat", "dog", "owl"]
LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 2])
#                  dog  cat  dog  owl  dog  owl  cat  owl
PREDICTED = np.array([1, 0, 1, 2, 1, 2, 0, 2])
CONFIDENCE = np.array([0.6, 0.9, 0.8, 0.5, 0.7, 0.9, 0.6, 1.0])


def probabilities(predicted: np.ndarray = PREDICTED, confidence: np.ndarray = CONFIDENCE) -> np.ndarray:
    """The other two classes have the same probability."""
    rest = np.repeat((1 - confidence)[:, None] / 2, 3, axis=1)
    rest[np.arange(len(predicted)), predicted] = confidence
    return rest


def test_most_frequent_pairs_and_most_confident_images_come_first() -> None:
    table = confusions(probabilities(), LABELS, CLASSES, pairs=2, examples=5)
    assert list(zip(table["actual"], table["predicted"], table["times"], strict=True)) == [
        ("cat", "dog", 2),
        ("cat", "dog", 2),
        ("dog", "owl", 2),
        ("dog", "owl", 2),
    ]
    assert list(table["index"]) == [2, 0, 5, 3]
    assert list(table["confidence"]) == [0.8, 0.6, 0.9, 0.5]
    assert list(table["share"]) == pytest.approx([2 / 3, 2 / 3, 2 / 4, 2 / 4])


def test_more_pairs_than_exist_give_all_mistakes_once() -> None:
    table = confusions(probabilities(), LABELS, CLASSES, pairs=50, examples=50)
    assert sorted(table["index"]) == [0, 2, 3, 5, 6]


def test_number_of_examples_is_limited() -> None:
    assert list(confusions(probabilities(), LABELS, CLASSES, pairs=2, examples=1)["index"]) == [2, 5]


def test_without_mistakes_the_table_is_empty() -> None:
    table = confusions(probabilities(LABELS), LABELS, CLASSES, pairs=3, examples=3)
    assert list(table.columns) == ["actual", "predicted", "times", "share", "index", "confidence"]
    assert not len(table)


def test_reliability_by_predicted_class() -> None:
    table = reliability(probabilities(), LABELS, CLASSES, bins=10).set_index("class")
    assert list(table["predictions"]) == [2, 3, 3]
    assert list(table["accuracy"]) == pytest.approx([1 / 2, 1 / 3, 1 / 3])
    assert list(table["confidence"]) == pytest.approx([0.75, 0.7, 0.8])
    assert list(table["gap"]) == pytest.approx([0.25, 0.7 - 1 / 3, 0.8 - 1 / 3])
    assert (table["accuracy_low"] <= table["accuracy"]).all() and (table["accuracy"] <= table["accuracy_high"]).all()
    owls = PREDICTED == 2
    expected = metrics.calibration_error(probabilities()[owls], LABELS[owls], bins=10)
    assert table.loc["owl", "calibration_error"] == pytest.approx(expected)


def test_class_that_is_never_predicted_has_empty_cells() -> None:
    table = reliability(probabilities(np.where(PREDICTED == 1, 0, PREDICTED)), LABELS, CLASSES, bins=10).set_index(
        "class"
    )
    assert table.loc["dog", "predictions"] == 0
    assert np.isnan(table.loc["dog", "accuracy"])


def test_gaps_weighted_by_predictions_sum_to_the_total_gap() -> None:
    table = reliability(probabilities(), LABELS, CLASSES, bins=10)
    assert (table["gap"] * table["predictions"]).sum() / len(LABELS) == pytest.approx(
        CONFIDENCE.mean() - (PREDICTED == LABELS).mean()
    )
