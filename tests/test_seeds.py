"""The script that trains and scores the runs with several seeds."""

import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import seeds

from cvnlp import files
from cvnlp.paths import ProjectPaths

RUN = """
  {name}:
    domain: {half}
    dataset: {data}
    seed: 1
    model: {{name: {network}}}
    train: {{epochs: {epochs}, {options}}}
    evaluate: {{}}
    attack: {attack}
    insight: {{}}
"""
PARAMS = (
    "datasets:\n"
    "  pictures: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}\n"
    "  letters: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}\n"
    "runs:"
    + RUN.format(
        name="rules", half="vision", data="pictures", network="rules", epochs=0, options="lr: 1", attack="{eps: [0.1]}"
    )
    + RUN.format(
        name="linear", half="vision", data="pictures", network="linear", epochs=1, options="lr: 1", attack="{eps: [1]}"
    )
    + RUN.format(
        name="lstm", half="language", data="letters", network="lstm", epochs=1, options="window: 8, batch_size: 4",
        attack="{shares: [0.1]}",
    )
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, vision_data: Path, language_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with prepared data; the script works in threads of this process."""
    paths = ProjectPaths(tmp_path)
    files.write_text(paths.params, PARAMS)
    for name, folder in (("pictures", vision_data), ("letters", language_data)):
        shutil.copytree(folder, paths.prepared(name))
    monkeypatch.setattr(seeds, "ProcessPoolExecutor", lambda jobs, **_: ThreadPoolExecutor(1))
    return tmp_path


def measured(root: Path, numbers: list[int], runs: list[str] | None = None) -> Any:
    seeds.measure(numbers, runs, 1, root)
    return files.read_json(ProjectPaths(root).seeds)


def test_every_seed_is_trained_and_scored(root: Path) -> None:
    found = measured(root, [1, 2])
    assert {name: result["seeds"] for name, result in found.items()} == {"rules": 1, "linear": 2, "lstm": 2}
    scores = found["lstm"]["scores"]
    assert scores[0] != scores[1]
    assert found["lstm"]["mean"] == statistics.mean(scores)
    assert found["lstm"]["standard_deviation"] == statistics.stdev(scores)
    assert found["rules"]["standard_deviation"] == 0.0


def test_the_score_of_the_own_seed_is_that_of_the_pipeline(root: Path) -> None:
    files.write_scores(ProjectPaths(root).run("linear", "pictures").scores, {"accuracy": 0.75}, metrics=["accuracy"])
    scores = measured(root, [1, 2], ["linear"])["linear"]["scores"]
    assert scores[0] == 0.75 and scores[1] != 0.75


def test_chosen_runs_are_added_to_the_file_with_the_same_scores(root: Path) -> None:
    first = measured(root, [1, 2], ["linear"])
    second = measured(root, [1, 2], ["rules"])
    assert second == first | {"rules": second["rules"]}
    assert measured(root, [1, 2], ["linear"]) == second


def test_an_unknown_run_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match=r"runs.*'lstn'"):
        measured(root, [1], ["lstn"])
