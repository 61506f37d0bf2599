"""Networks whose training has diverged: finite weights, and outputs that are huge or overflow."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from cvnlp import files, networks
from cvnlp.data import prepared
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from cvnlp.report import build
from cvnlp.stages.attack import attack
from cvnlp.stages.evaluate import evaluate
from cvnlp.stages.insight import insight

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
    attack: {eps: [0.1], images: 20, steps: 2}
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
HISTORY = "epoch,step,lr,train_loss,validation_nll,{}\n0,1,0.1,inf,1e+30,0.1\n1,2,0.1,,,\n"


@pytest.fixture(params=[1e6, 1e37], ids=["huge", "overflowing"])
def diverged(request: pytest.FixtureRequest, tmp_path: Path, vision_data: Path, language_data: Path) -> ProjectPaths:
    """A project after two trainings, whose weights were multiplied."""
    paths = ProjectPaths(tmp_path)
    paths.params.write_text(PARAMS)
    shutil.copytree(vision_data, paths.prepared("pictures"))
    shutil.copytree(language_data, paths.prepared("plays"))
    for name, block in read_params(paths.params).runs.items():
        run = paths.run(name, block.dataset)
        config = networks.describe(block.domain, block.model, prepared.read_facts(run.prepared))
        network = networks.build(config, seed=1)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(request.param)
        networks.save(run.model, network, config)
        for path in (run.training, run.history):
            path.parent.mkdir(parents=True, exist_ok=True)
        metric = "validation_accuracy" if block.domain == "vision" else "validation_perplexity"
        run.history.write_text(HISTORY.format(metric))
        trained = {"parameters": 1, "multiply_adds": 1, "epochs": 2, "best_epoch": 0, "examples": 2}
        run.training.write_text(json.dumps(trained))
    return paths


def test_every_stage_after_training_ends_with_finite_scores_and_the_report_says_diverged(
    diverged: ProjectPaths,
) -> None:
    settings = read_params(diverged.params)
    for name, block in settings.runs.items():
        run = diverged.run(name, block.dataset)
        for stage, scores in ((evaluate, run.scores), (attack, run.attacks), (insight, run.insights)):
            stage(name, root=diverged.root)
            assert all(math.isfinite(value) for value in files.read_scores(scores).values()), scores
    build.write_report(settings, diverged)
    report = diverged.report.read_text()
    assert report.count("The training of this run has diverged") == 2
    assert report.count("| diverged") + report.count(" diverged |") >= 2
