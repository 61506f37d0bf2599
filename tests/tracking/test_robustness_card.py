"""The model card's section on robustness: every attack and strength, the worst case with its interval, and flags."""

import re
from pathlib import Path
from typing import Any

import pytest

from cvnlp import files
from cvnlp.params.attacks import LanguageAttack, VisionAttack
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import markdown
from cvnlp.tracking.robustness_card import robustness

VISION, LANGUAGE = VisionAttack(eps=[0.05, 0.1]), LanguageAttack(shares=[0.1])
ACCURACIES = {
    "accuracy_worst_case_0.1": 0.125,
    "interval_worst_case_0.1_low": 0.1,
    "interval_worst_case_0.1_high": 0.15,
    "accuracy_apgd_ce_0.1": 0.125,
    "accuracy_apgd_ce_0.05": 0.5,
    "accuracy_random_1e-05": 0.75,
    "accuracy_clean": 0.875,
    "accuracy_spatial": 0.25,
    "accuracy_corrupted": 0.625,
    "certified_accuracy_0.5": 0.375,
    "flag_zero_gradients": 0.0,
    "flag_black_box_stronger": 0.0,
    "flags_raised": 0.0,
    "images": 50.0,
    "median_smallest_eps": 0.0625,
}
PERPLEXITIES = {
    "perplexity_clean": 4.5,
    "perplexity_random_0.1": 9.0,
    "perplexity_worst_case_0.1": 12.0,
    "perplexity_worst_case_0.1_low": 11.0,
    "perplexity_worst_case_0.1_high": 13.0,
    "flag_randomised_output": 0.0,
    "tokens": 640.0,
}


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return ProjectPaths(tmp_path).run("mine", "digits")


def section(options: Any, run: RunPaths, scores: dict[str, float]) -> str:
    files.write_scores(run.attacks, scores, metrics=["accuracy_worst_case_0.1", "flags_raised"])
    (found,) = robustness(options, run)
    return markdown.render(found, Path())


def rows(text: str) -> list[list[str]]:
    lines = re.findall(r"^\| (?!:?-)(.+) \|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_every_attack_has_its_accuracy_at_every_strength(run: RunPaths) -> None:
    text = section(VISION, run, ACCURACIES)
    assert rows(text) == [
        ["attack", "1e-05", "0.05", "0.1"],
        ["apgd ce", "", "0.5", "0.125"],
        ["random", "0.75", "", ""],
        ["worst case", "", "", "0.125"],
        ["95 % interval of the worst case, low", "", "", "0.1"],
        ["95 % interval of the worst case, high", "", "", "0.15"],
    ]
    assert "eps, the largest change of a pixel" in text


def test_scores_without_a_strength_are_listed(run: RunPaths) -> None:
    text = section(VISION, run, ACCURACIES)
    assert re.findall(r"^- (.+): ([\d.]+)$", text, re.MULTILINE) == [
        ("without an attack", "0.875"),
        ("worst rotation and shift", "0.25"),
        ("mean over corruptions", "0.625"),
        ("certified within L2 radius 0.5, with added noise", "0.375"),
    ]


def test_raised_flags_are_named(run: RunPaths) -> None:
    assert "None of 2 checks found a sign" in section(VISION, run, ACCURACIES)
    text = section(VISION, run, ACCURACIES | {"flag_black_box_stronger": 1.0, "flags_raised": 1.0})
    assert "Flags raised: black box stronger." in text and "zero gradients" not in text


def test_a_language_model_has_the_worst_case_of_its_excerpts(run: RunPaths) -> None:
    text = section(LANGUAGE, run, PERPLEXITIES)
    assert rows(text) == [
        ["attack", "0.1"],
        ["random", "9"],
        ["worst case", "12"],
        ["95 % interval of the worst case, low", "11"],
        ["95 % interval of the worst case, high", "13"],
    ]
    assert "share of the tokens" in text and "- without an attack: 4.5" in text


def test_the_norm_is_stated(run: RunPaths) -> None:
    assert "Euclidean length" in section(VisionAttack(eps=[1.0], norm="l2"), run, ACCURACIES)


def test_a_run_that_was_not_attacked_has_no_section(run: RunPaths) -> None:
    assert list(robustness(VISION, run)) == []
