"""Detection: non-maximum suppression, matching and scores, on examples worked out by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cvnlp.vision.insight.detection import (
    MIN_SCORE,
    average_precision,
    detect,
    detection_scores,
    match,
    precision_recall_curve,
    scores_by_class,
)

CLASSES = ["a", "b", "NA"]


def boxes(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Boxes of 10 x 10 from (canvas, top, left, class), with scores of 0.9, 0.8 and so on."""
    table = pd.DataFrame(rows, columns=["canvas", "top", "left", "class"])
    return table.assign(height=10, width=10, score=0.9 - 0.1 * np.arange(len(table)))


# Detection ------------------------------------------------------------------------------------------------------------


def find(probabilities: list[list[list[float]]], corners: list[list[int]], nms_iou: float = 0.2) -> pd.DataFrame:
    return detect(
        torch.tensor(probabilities, dtype=torch.float64),
        corners=torch.tensor(corners),
        window=(10, 8),
        classes=CLASSES,
        nms_iou=nms_iou,
    )


def test_of_overlapping_boxes_the_highest_score_remains_whatever_the_class() -> None:
    predictions = find([[[0.6, 0.1, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.8]]], [[0, 0], [2, 2], [30, 5]])
    assert predictions[["top", "left", "class", "score"]].to_numpy().tolist() == [[2, 2, "b", 0.9], [30, 5, "NA", 0.8]]
    assert predictions[["height", "width"]].to_numpy().tolist() == [[10, 8], [10, 8]]


@pytest.mark.parametrize(("nms_iou", "left"), [(0.3, 1), (0.34, 2)])
def test_overlap_is_intersection_over_union(nms_iou: float, left: int) -> None:
    """Half of each box is shared: 40 of 120 pixels."""
    assert len(find([[[0.9, 0, 0], [0.8, 0, 0]]], [[0, 0], [0, 4]], nms_iou)) == left


def test_boxes_of_different_canvases_do_not_suppress_each_other() -> None:
    predictions = find([[[0.9, 0, 0], [0.1, 0, 0]], [[0.7, 0, 0], [0.95, 0, 0]]], [[0, 0], [0, 1]])
    assert predictions[["canvas", "left", "score"]].to_numpy().tolist() == [[1, 1, 0.95], [0, 0, 0.9]]


def test_scores_below_the_minimum_are_left_out() -> None:
    predictions = find([[[MIN_SCORE, 0, 0], [MIN_SCORE - 0.001, 0, 0]]], [[0, 0], [40, 0]])
    assert list(predictions["top"]) == [0]


def test_without_predictions_all_scores_are_zero() -> None:
    predictions, ground_truth = find([[[0.0, 0, 0]]], [[0, 0]]), boxes((0, 0, 0, "a"))
    assert len(predictions) == 0 and len(match(predictions, ground_truth)) == 0
    scores = detection_scores(predictions, ground_truth, CLASSES, threshold=0.5)
    assert set(scores.values()) == {0.0}


# Matching -------------------------------------------------------------------------------------------------------------


def test_prediction_matches_an_object_of_its_class_from_half_overlap_on() -> None:
    ground_truth = boxes((0, 0, 0, "a"), (0, 20, 0, "b"), (1, 0, 0, "a"))
    predictions = boxes((0, 0, 3, "a"), (0, 20, 4, "b"), (0, 20, 1, "a"), (1, 50, 50, "a"))
    assert match(predictions, ground_truth).tolist() == [
        0,
        -1,
        -1,
        -1,
    ]  # 70 of 130, 60 of 140, other class, none
    assert match(predictions, ground_truth, class_agnostic=True).tolist() == [0, -1, 1, -1]


def test_exactly_half_overlap_matches() -> None:
    ground_truth = boxes((0, 0, 0, "a")).assign(width=20)
    assert match(boxes((0, 0, 5, "a")), ground_truth).tolist() == [0]  # 100 of 200


def test_object_is_matched_once_by_the_highest_score() -> None:
    assert match(boxes((0, 1, 0, "a"), (0, 0, 0, "a")), boxes((0, 0, 0, "a"))).tolist() == [0, -1]


def test_prediction_matches_the_object_with_the_largest_overlap() -> None:
    ground_truth = boxes((0, 0, 0, "a"), (0, 0, 4, "a"))
    assert match(boxes((0, 0, 3, "a"), (0, 0, 3, "a")), ground_truth).tolist() == [1, 0]


def test_boxes_on_different_canvases_do_not_match() -> None:
    assert match(boxes((1, 0, 0, "a")), boxes((0, 0, 0, "a"))).tolist() == [-1]


# Scores ---------------------------------------------------------------------------------------------------------------


def test_average_precision_worked_by_hand() -> None:
    """Correct, wrong, correct, wrong, correct of four objects: the area under 1, 2/3, 3/5, each a quarter wide."""
    correct = np.array([True, False, True, False, True])
    curve = precision_recall_curve(boxes(*[(0, 0, 0, "a")] * 5), correct, 4)
    assert curve["precision"].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4, 3 / 5])
    assert curve["recall"].tolist() == pytest.approx([1 / 4, 1 / 4, 2 / 4, 2 / 4, 3 / 4])
    assert average_precision(curve) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_average_precision_uses_the_best_precision_at_this_or_a_higher_recall() -> None:
    """Wrong, correct, correct: at both recalls the best precision is 2/3."""
    assert average_precision(
        precision_recall_curve(boxes(*[(0, 0, 0, "a")] * 3), np.array([False, True, True]), 2)
    ) == pytest.approx(2 / 3)


def test_without_mistakes_all_scores_are_one() -> None:
    ground_truth = boxes((0, 0, 0, "a"), (0, 20, 0, "NA"), (1, 0, 0, "b"))
    assert set(detection_scores(ground_truth, ground_truth, CLASSES, threshold=0.0).values()) == {1.0}


def test_scores_with_and_without_regard_to_the_class() -> None:
    ground_truth = boxes((0, 0, 0, "a"), (0, 20, 0, "a"), (0, 40, 0, "b"), (0, 60, 0, "b"))
    predictions = boxes((0, 0, 0, "a"), (0, 20, 0, "b"), (0, 80, 0, "b"), (0, 40, 0, "b"))  # of 0.9, 0.8, 0.7, 0.6
    scores = detection_scores(predictions, ground_truth, CLASSES, threshold=0.65)
    assert scores["precision"] == pytest.approx(1 / 3) and scores["recall"] == pytest.approx(1 / 4)
    assert scores["class_agnostic_precision"] == pytest.approx(2 / 3) and scores[
        "class_agnostic_recall"
    ] == pytest.approx(2 / 4)
    assert scores["map"] == pytest.approx((1 / 2 + (1 / 3) / 2) / 2)  # whatever the threshold; NA has no object


def test_table_has_the_classes_with_objects() -> None:
    ground_truth = boxes((0, 0, 0, "a"), (0, 20, 0, "NA"), (0, 40, 0, "NA"))
    predictions = boxes((0, 0, 0, "a"), (0, 20, 0, "NA"), (0, 80, 0, "b"))
    table = scores_by_class(predictions, ground_truth, CLASSES, threshold=0.85).set_index("class")
    assert list(table.index) == ["a", "NA"]
    assert table.loc["a"].tolist() == [1, 1, 1, 1, 1, 1]
    assert table.loc["NA"].tolist() == [2, 0, 0, 0, 0, 0.5]  # objects, predictions, correct, precision, recall, AP
