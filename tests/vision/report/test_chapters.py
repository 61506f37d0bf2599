"""Chapters on image classification: their numbers are those of the runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cvnlp import files
from cvnlp.params.runs import VisionRun
from cvnlp.paths import ProjectPaths
from cvnlp.report.elements import SampleText, Stepper
from cvnlp.report.results import RunResults
from cvnlp.vision.report import findings
from cvnlp.vision.report.chapters import classification, colour_rules, convolution, limits
from report_contents import results, walk, words


def run(root: Path, name: str, model: str, **results: dict[str, Any]) -> RunResults:
    """With these results of its stages."""
    block = VisionRun.model_validate(
        {"domain": "vision", "dataset": "digits", "seed": 1, "model": {"name": model}, "train": {"epochs": 1}}
        | {"evaluate": {}, "attack": {"eps": [0.05, 0.1]}, "insight": {}}
    )
    found = RunResults(name, block, ProjectPaths(root).run(name, "digits"))
    vars(found).update(results)
    return found


ATTACKS = {"accuracy_clean": 0.98, "accuracy_worst_case_0.1": 0.25, "accuracy_random_0.1": 0.97}


@pytest.mark.parametrize(
    ("colour", "predicted"),
    [((10, 20, 200), "sky"), ((10, 200, 20), "plants"), ((200, 20, 10), "neither"), ((0, 0, 0), "neither")],
)
def test_the_rule_of_colours_takes_the_strongest(colour: tuple[int, int, int], predicted: str) -> None:
    assert colour_rules.classify(np.full((4, 4, 3), colour, np.uint8)) == predicted


def test_half_of_the_pixels_is_not_mostly() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, :, 2] = 255
    pixels[1, :, 1] = 255
    assert colour_rules.classify(pixels) == "neither"


def test_the_patches_are_counted_in_the_sentence(tmp_path: Path) -> None:
    patches = colour_rules.patches()
    right = sum(patch.correct for patch in patches)
    assert 0 < right < len(patches)
    assert f"right on {right} of {len(patches)} patches" in words([classification.rules(results(tmp_path))])


@pytest.mark.parametrize(("shuffled", "words_"), [(0.93, "may be random"), (0.6, "is better than the shuffled one")])
def test_shuffled_pixels_matter_only_beyond_chance(tmp_path: Path, shuffled: float, words_: str) -> None:
    one = run(tmp_path, "flat", "mlp", scores={"accuracy": 0.95}, training={"parameters": 1234})
    table = pd.DataFrame({"pixels": ["original", "shuffled"], "accuracy": [0.94, shuffled], "images": 500, "epochs": 5})
    files.write_table(one.paths.insight / "shuffled.csv", table)
    said = words([classification.perceptron(results(tmp_path, one))])
    assert words_ in said and "95.0%" in said and "1,234 parameters" in said


def test_an_attack_is_told_with_its_numbers_and_the_most_robust_run(tmp_path: Path) -> None:
    plain = run(tmp_path, "plain", "linear", scores={"accuracy": 0.98, "images": 500}, attacks=ATTACKS)
    better = ATTACKS | {"accuracy_worst_case_0.1": 0.9}
    robust = run(tmp_path, "robust", "mlp", scores={"accuracy": 0.97, "images": 500}, attacks=better)
    found = findings(results(tmp_path, plain, robust))
    assert found == [
        "On digits, plain has the best accuracy of 2 runs: 98.0%. The difference to robust may be random.",
        "Attacks that change no pixel by more than 0.1 of its range reduce the accuracy of plain from 98.0% to 25.0%; "
        "random noise of the same size leaves 97.0%.",
        "The most robust run, robust, keeps 90.0%.",
    ]
    assert limits.nearest_eps(plain) == 0.1


def test_the_steps_of_a_convolution_are_its_products_and_its_feature_map() -> None:
    image, kernel = np.array([[1, 0], [2, 3]]), np.array([[0, 0, 0], [0, 2, 0.5], [0, -1, 0]])
    stepper = convolution._steps(image, kernel)
    assert isinstance(stepper, Stepper)
    assert list(stepper.steps) == [f"row {row}, column {column}" for row in (1, 2) for column in (1, 2)]
    expected = [[1 * 2 + 0 * 0.5 + 2 * -1, 0 * 2 + 3 * -1], [2 * 2 + 3 * 0.5, 3 * 2]]
    last = [element for element in walk(stepper.steps["row 2, column 2"]) if isinstance(element, SampleText)][-1]
    np.testing.assert_allclose(_numbers(last.text), expected)


def _numbers(text: str) -> list[list[float]]:
    return [[float(value) for value in line.split()] for line in text.splitlines()]
