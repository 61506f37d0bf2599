"""Networks whose training has diverged: finite weights, and outputs that are huge or overflow."""

import math
from pathlib import Path

import pytest

from make_project import make_project, run_stages_after_training

pytest.importorskip("captum")

PARAMS = """
datasets:
  pictures: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  plays: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [play-3], test: [play-4]}
runs:
  cnn:
    domain: vision
    dataset: pictures
    seed: 1
    model: {name: cnn, blocks: [{filters: 4}], hidden: [8]}
    train: {epochs: 1}
    evaluate: {}
    attack: {eps: [0.1], images: 20}
    insight: {attribution_images: 3, attribution_steps: 4, worst_case_images: 5, rotations: [0.0], scales: [1.0]}
  lstm:
    domain: language
    dataset: plays
    seed: 1
    model: {name: lstm, embedding_size: 8, hidden_size: 16}
    train: {epochs: 1}
    evaluate: {sample_tokens: 20}
    attack: {shares: [0.2], excerpts: 4, length: 20}
    insight: {excerpts: 4, length: 20, samples: 2, sample_tokens: 20, recall_steps: 1, state_tokens: 500}
"""


@pytest.mark.parametrize("factor", [1e6, 1e37], ids=["huge", "overflowing"])
def test_every_stage_after_training_ends_with_finite_scores_and_the_report_says_diverged(
    tmp_path: Path, vision_data: Path, language_data: Path, factor: float
) -> None:
    paths = make_project(tmp_path, PARAMS, {"pictures": vision_data, "plays": language_data}, factor=factor)
    for stages in run_stages_after_training(paths).values():
        for stage, scores in stages.items():
            assert scores and all(math.isfinite(value) for value in scores.values()), stage
    report = paths.report_page.read_text()
    assert report.count("The training of this run has diverged") == 2
    assert report.count(">diverged</td>") >= 2
