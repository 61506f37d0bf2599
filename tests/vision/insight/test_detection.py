"""Boxes found, held against boxes there: worked by hand, and as the definitions demand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cvnlp.vision.insight.detection import FAINTEST, average_precision, by_class, curve, detect, match, score

CLASSES = ["a", "b", "NA"]


def boxes(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """(canvas, top, left, class) of boxes of 10 x 10; the scores fall from 0.9 on by 0.1."""
    table = pd.DataFrame(rows, columns=["canvas", "top", "left", "class"])
    return table.assign(height=10, width=10, score=0.9 - 0.1 * np.arange(len(table)))


# Detection ------------------------------------------------------------------------------------------------------------


def find(probabilities: list[list[list[float]]], places: list[list[int]], overlap: float = 0.2) -> pd.DataFrame:
    return detect(
        torch.tensor(probabilities, dtype=torch.float64),
        places=torch.tensor(places),
        window=(10, 8),
        classes=CLASSES,
        overlap=overlap,
    )


def test_of_boxes_that_overlap_the_surest_stays_whatever_their_classes() -> None:
    found = find([[[0.6, 0.1, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.8]]], [[0, 0], [2, 2], [30, 5]])
    assert found[["top", "left", "class", "score"]].to_numpy().tolist() == [[2, 2, "b", 0.9], [30, 5, "NA", 0.8]]
    assert found[["height", "width"]].to_numpy().tolist() == [[10, 8], [10, 8]]


@pytest.mark.parametrize(("overlap", "left"), [(0.3, 1), (0.34, 2)])
def test_overlap_is_intersection_over_union(overlap: float, left: int) -> None:
    """Half of each box is shared: 40 of 120 pixels."""
    assert len(find([[[0.9, 0, 0], [0.8, 0, 0]]], [[0, 0], [0, 4]], overlap)) == left


def test_canvases_do_not_disturb_each_other() -> None:
    found = find([[[0.9, 0, 0], [0.1, 0, 0]], [[0.7, 0, 0], [0.95, 0, 0]]], [[0, 0], [0, 1]])
    assert found[["canvas", "left", "score"]].to_numpy().tolist() == [[1, 1, 0.95], [0, 0, 0.9]]


def test_what_is_fainter_than_anything_found_is_left_out() -> None:
    found = find([[[FAINTEST, 0, 0], [FAINTEST - 0.001, 0, 0]]], [[0, 0], [40, 0]])
    assert list(found["top"]) == [0]


def test_nothing_found_is_an_empty_table_that_scores_nothing() -> None:
    found, there = find([[[0.0, 0, 0]]], [[0, 0]]), boxes((0, 0, 0, "a"))
    assert len(found) == 0 and len(match(found, there)) == 0
    scores = score(found, there, CLASSES, threshold=0.5)
    assert set(scores.values()) == {0.0}


# Matching -------------------------------------------------------------------------------------------------------------


def test_box_is_right_if_it_overlaps_an_object_of_its_class_by_half() -> None:
    there = boxes((0, 0, 0, "a"), (0, 20, 0, "b"), (1, 0, 0, "a"))
    found = boxes((0, 0, 3, "a"), (0, 20, 4, "b"), (0, 20, 1, "a"), (1, 50, 50, "a"))
    assert match(found, there).tolist() == [0, -1, -1, -1]  # 70 of 130, 60 of 140, another class, nothing there
    assert match(found, there, by_class=False).tolist() == [0, -1, 1, -1]


def test_exactly_half_is_enough() -> None:
    there = boxes((0, 0, 0, "a")).assign(width=20)
    assert match(boxes((0, 0, 5, "a")), there).tolist() == [0]  # 100 of 200


def test_object_is_found_once_by_the_surest() -> None:
    assert match(boxes((0, 1, 0, "a"), (0, 0, 0, "a")), boxes((0, 0, 0, "a"))).tolist() == [0, -1]


def test_box_takes_the_object_that_it_overlaps_most() -> None:
    there = boxes((0, 0, 0, "a"), (0, 0, 4, "a"))
    assert match(boxes((0, 0, 3, "a"), (0, 0, 3, "a")), there).tolist() == [1, 0]


def test_same_place_on_another_canvas_is_not_it() -> None:
    assert match(boxes((1, 0, 0, "a")), boxes((0, 0, 0, "a"))).tolist() == [-1]


# Scores ---------------------------------------------------------------------------------------------------------------


def test_average_precision_worked_by_hand() -> None:
    """Right, wrong, right, wrong, right of four objects: the area under 1, 2/3, 3/5, each a quarter wide."""
    right = np.array([True, False, True, False, True])
    points = curve(boxes(*[(0, 0, 0, "a")] * 5), right, 4)
    assert points["precision"].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4, 3 / 5])
    assert points["recall"].tolist() == pytest.approx([1 / 4, 1 / 4, 2 / 4, 2 / 4, 3 / 4])
    assert average_precision(points) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_average_precision_takes_the_best_precision_from_a_recall_on() -> None:
    """Wrong, right, right: at both recalls 2/3 can be had."""
    assert average_precision(curve(boxes(*[(0, 0, 0, "a")] * 3), np.array([False, True, True]), 2)) == pytest.approx(
        2 / 3
    )


def test_without_mistakes_all_is_one() -> None:
    there = boxes((0, 0, 0, "a"), (0, 20, 0, "NA"), (1, 0, 0, "b"))
    assert set(score(there, there, CLASSES, threshold=0.0).values()) == {1.0}


def test_scores_tell_finding_from_naming() -> None:
    there = boxes((0, 0, 0, "a"), (0, 20, 0, "a"), (0, 40, 0, "b"), (0, 60, 0, "b"))
    found = boxes((0, 0, 0, "a"), (0, 20, 0, "b"), (0, 80, 0, "b"), (0, 40, 0, "b"))  # of 0.9, 0.8, 0.7, 0.6
    scores = score(found, there, CLASSES, threshold=0.65)
    assert scores["precision"] == pytest.approx(1 / 3) and scores["recall"] == pytest.approx(1 / 4)
    assert scores["located_precision"] == pytest.approx(2 / 3) and scores["located_recall"] == pytest.approx(2 / 4)
    assert scores["map"] == pytest.approx((1 / 2 + (1 / 3) / 2) / 2)  # whatever the threshold; NA is not there


def test_table_of_classes_has_those_that_are_there() -> None:
    there = boxes((0, 0, 0, "a"), (0, 20, 0, "NA"), (0, 40, 0, "NA"))
    found = boxes((0, 0, 0, "a"), (0, 20, 0, "NA"), (0, 80, 0, "b"))
    table = by_class(found, there, CLASSES, threshold=0.85).set_index("class")
    assert list(table.index) == ["a", "NA"]
    assert table.loc["a"].tolist() == [1, 1, 1, 1, 1, 1]
    assert table.loc["NA"].tolist() == [2, 0, 0, 0, 0, 0.5]  # objects, found, right, precision, recall, AP
