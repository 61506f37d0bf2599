"""The mistakes of a classifier and the reliability of what it names, on made probabilities."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision import metrics
from cvnlp.vision.insight.confusions import confusions, predict, reliability

CLASSES = ["cat", "dog", "owl"]
LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 2])
#                  dog  cat  dog  owl  dog  owl  cat  owl
NAMED = np.array([1, 0, 1, 2, 1, 2, 0, 2])
SURE = np.array([0.6, 0.9, 0.8, 0.5, 0.7, 0.9, 0.6, 1.0])


def probabilities(named: np.ndarray = NAMED, sure: np.ndarray = SURE) -> np.ndarray:
    """The rest is shared evenly by the others."""
    rest = np.repeat((1 - sure)[:, None] / 2, 3, axis=1)
    rest[np.arange(len(named)), named] = sure
    return rest


def test_most_frequent_pairs_come_first_and_in_them_the_surest() -> None:
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


def test_more_pairs_than_there_are_give_all_mistakes_once() -> None:
    table = confusions(probabilities(), LABELS, CLASSES, pairs=50, examples=50)
    assert sorted(table["index"]) == [0, 2, 3, 5, 6]


def test_no_more_examples_than_asked_for() -> None:
    assert list(confusions(probabilities(), LABELS, CLASSES, pairs=2, examples=1)["index"]) == [2, 5]


def test_without_mistakes_the_table_is_empty() -> None:
    table = confusions(probabilities(LABELS), LABELS, CLASSES, pairs=3, examples=3)
    assert list(table.columns) == ["actual", "predicted", "times", "share", "index", "confidence"]
    assert not len(table)


def test_reliability_is_of_what_was_named() -> None:
    table = reliability(probabilities(), LABELS, CLASSES, bins=10).set_index("class")
    assert list(table["named"]) == [2, 3, 3]
    assert list(table["accuracy"]) == pytest.approx([1 / 2, 1 / 3, 1 / 3])
    assert list(table["confidence"]) == pytest.approx([0.75, 0.7, 0.8])
    assert list(table["gap"]) == pytest.approx([0.25, 0.7 - 1 / 3, 0.8 - 1 / 3])
    assert (table["accuracy_low"] <= table["accuracy"]).all() and (table["accuracy"] <= table["accuracy_high"]).all()
    owls = NAMED == 2
    expected = metrics.calibration_error(probabilities()[owls], LABELS[owls], bins=10)
    assert table.loc["owl", "calibration_error"] == pytest.approx(expected)


def test_class_that_is_never_named_stands_empty_in_the_table() -> None:
    table = reliability(probabilities(np.where(NAMED == 1, 0, NAMED)), LABELS, CLASSES, bins=10).set_index("class")
    assert table.loc["dog", "named"] == 0
    assert np.isnan(table.loc["dog", "accuracy"])


def test_gaps_weighted_by_what_was_named_add_up_to_the_gap_of_all() -> None:
    table = reliability(probabilities(), LABELS, CLASSES, bins=10)
    assert (table["gap"] * table["named"]).sum() / len(LABELS) == pytest.approx(SURE.mean() - (NAMED == LABELS).mean())


def test_predictions_are_of_the_validation_split_in_its_order(
    vision_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BrightestRow(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 20 * images[:, 0].mean(2)[:, :10]

    found, labels = predict(BrightestRow(), vision_data)
    assert np.array_equal(labels, np.load(vision_data / "validation_labels.npy"))
    assert np.array_equal(found.argmax(1), labels)
    assert found.sum(1) == pytest.approx(1, abs=1e-5)
    monkeypatch.setattr("cvnlp.vision.insight.confusions.BATCH", 7)
    again, _ = predict(BrightestRow(), vision_data)
    assert again == pytest.approx(found, abs=1e-6)
    assert isinstance(torch.from_numpy(again), Tensor) and again.dtype == np.float32
