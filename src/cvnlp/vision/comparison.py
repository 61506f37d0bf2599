"""Comparison of image classifiers: accuracy, and McNemar's test on the same test images."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvnlp.significance import statistics
from cvnlp.significance.difference import Difference, Estimate

SCORE, HIGHER_IS_BETTER = "accuracy", True


@dataclass(frozen=True)
class ClassifiedImages:
    """`labels`: the name of each image's class; `correct` bool (N,): whether the image is classified correctly."""

    labels: tuple[str, ...]
    correct: np.ndarray

    def estimate(self) -> Estimate:
        return _estimate(int(self.correct.sum()), len(self.correct))

    def difference(self, other: "ClassifiedImages") -> Difference:
        """Of the accuracies; ValueError if the labels differ: the images are not the same."""
        if self.labels != other.labels:
            raise ValueError("the labels of the test images differ: the test sets are not the same")
        only_self = int((self.correct & ~other.correct).sum())
        only_other = int((other.correct & ~self.correct).sum())
        low, high = statistics.paired_share_interval(only_self, only_other, len(self.correct))
        return Difference(
            (only_self - only_other) / len(self.correct),
            low,
            high,
            statistics.mcnemar(only_self, only_other),
            f"McNemar's exact test; of {len(self.correct):,} images {only_self:,} are classified correctly only by the "
            f"first, {only_other:,} only by the second",
        )


def read_examples(details: Path, scores: Mapping[str, float]) -> ClassifiedImages | None:
    """The test images of objects, from predictions.csv; None if there is no such file."""
    if not (details / "predictions.csv").is_file():
        return None
    background = _classes(details)[-1] if "background_images" in scores else None
    with (details / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["actual"], row["predicted"]) for row in csv.DictReader(file) if row["actual"] != background]
    correct = np.array([actual == predicted for actual, predicted in rows], dtype=bool)
    return ClassifiedImages(tuple(actual for actual, _ in rows), correct)


def _classes(details: Path) -> list[str]:
    with (details / "confusion.csv").open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def example_count(scores: Mapping[str, float]) -> int:
    return int(scores["images"])


def estimate(scores: Mapping[str, float]) -> Estimate:
    """The accuracy with Wilson's interval."""
    return _estimate(_correct(scores), example_count(scores))


def unpaired_difference(first: Mapping[str, float], second: Mapping[str, float]) -> Difference:
    """Of the accuracies, as of two different sets of test images: its interval is wider than that of pairs."""
    pairs = [(_correct(scores), example_count(scores)) for scores in (first, second)]
    low, high = statistics.unpaired_share_interval((pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1]))
    value = first[SCORE] - second[SCORE]
    return Difference(value, low, high, None, "unpaired interval of two shares (Newcombe)")


def _correct(scores: Mapping[str, float]) -> int:
    return round(scores[SCORE] * example_count(scores))


def _estimate(correct: int, count: int) -> Estimate:
    return Estimate(correct / count, *statistics.wilson(correct, count))
