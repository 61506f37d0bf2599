"""The gates of a run: their values come from its files, and a gate without a value is not passed."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cvnlp import files
from cvnlp.params.gates import Gate, LanguageGates, VisionGates
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import gates

VISION: dict[str, Any] = {
    "domain": "vision",
    "dataset": "digits",
    "seed": 1,
    "model": {"name": "mlp"},
    "train": {"epochs": 1},
    "evaluate": {},
    "attack": {"eps": [0.1, 0.2]},
    "insight": {},
}
ATTACKS = {
    "accuracy_clean": 0.9,
    "accuracy_random_0.1": 0.9,
    "accuracy_fgsm_0.1": 0.6,
    "accuracy_pgd_0.1": 0.52,  # its worst case is lower: another attack has broken other images
    "accuracy_worst_case_0.1": 0.5,
    "interval_worst_case_0.1_low": 0.4,
    "accuracy_worst_case_0.2": 0.1,
}


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """The files of a run whose weights have 2,000,000 bytes."""
    paths = ProjectPaths(tmp_path).run("mine", "digits")
    files.write_scores(paths.scores, {"accuracy": 0.9, "perplexity": 7.0}, metrics=[])
    files.write_scores(paths.attacks, ATTACKS, metrics=[])
    paths.model.mkdir(parents=True)
    (paths.model / "model.safetensors").write_bytes(bytes(2_000_000))
    return paths


def block(**limits: float) -> VisionRun:
    return VisionRun.model_validate(VISION | {"gates": VisionGates(**limits)})


def test_values_come_from_the_files(run: RunPaths) -> None:
    limits = {"minimum_accuracy": 0.9, "minimum_worst_case_accuracy": 0.55, "maximum_size": 2.0}
    found = gates.check(block(**limits), run)
    assert [(gate.name, gate.value, gate.passed) for gate in found] == [
        ("minimum_accuracy", 0.9, True),
        ("minimum_worst_case_accuracy", 0.5, False),
        ("maximum_size", 2.0, True),
    ]
    assert str(found[1]) == "minimum_worst_case_accuracy 0.55: 0.5, failed"


def test_the_strength_of_the_attack_can_be_chosen(run: RunPaths) -> None:
    (gate,) = gates.check(block(minimum_worst_case_accuracy=0.05, worst_case_eps=0.2), run)
    assert (gate.value, gate.passed) == (0.1, True)


def test_a_worst_case_that_was_not_measured_is_not_passed(run: RunPaths) -> None:
    files.write_scores(run.attacks, {"accuracy_clean": 0.9, "accuracy_pgd_0.1": 0.5}, metrics=[])
    (gate,) = gates.check(block(minimum_worst_case_accuracy=0.05), run)
    assert (gate.value, gate.passed) == (None, False)


def test_perplexity_of_a_language_model(run: RunPaths) -> None:
    values = VISION | {"domain": "language", "model": {"name": "lstm"}, "attack": {"shares": [0.1]}}
    language = LanguageRun.model_validate(values | {"gates": LanguageGates(maximum_perplexity=6.9)})
    assert [gate.passed for gate in gates.check(language, run)] == [False]


@pytest.mark.parametrize(("latency", "passed"), [(None, False), (9.0, True), (11.0, False)])
def test_a_latency_that_was_not_measured_is_not_passed(run: RunPaths, latency: float | None, passed: bool) -> None:
    (gate,) = gates.check(block(maximum_latency=10.0), run, latency=latency)
    assert gate.passed is passed


def test_a_run_without_gates_has_none(run: RunPaths) -> None:
    assert gates.check(VisionRun.model_validate(VISION), run) == []


def test_the_report_shows_all_but_the_latency() -> None:
    (table,) = gates.table([Gate("minimum_accuracy", 0.9, 0.95), Gate("maximum_latency", 5.0, 4.0)])
    assert [column.cells for column in table.columns] == [("minimum accuracy",), (0.9,), (0.95,), ("passed",)]
    assert gates.table([Gate("maximum_latency", 5.0, 4.0)]) == []


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"minimum_accuracy": 1.5}, "less than or equal to 1"),
        ({"minimum_worst_case_accuracy": 0.5, "worst_case_eps": 0.3}, "0.3 must be one of attack.eps"),
        ({"maximum_perplexity": 3.0}, "Extra inputs"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, float], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        VisionRun.model_validate(VISION | {"gates": limits})
