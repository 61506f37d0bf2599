"""The smallest data and settings that params.yaml accepts: two classes, one image or excerpt, a single token."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvnlp.params import read_params
from cvnlp.vision.data import prepare
from make_project import make_project, run_stages_after_training

pytest.importorskip("captum")

IMAGES = """
datasets: {}
own: {pair: {domain: vision, path: pair, seed: 1, size: [12, 12], colour: grey}}
runs:
  cnn:
    domain: vision
    dataset: pair
    seed: 1
    model: {name: cnn, blocks: [{filters: 2}], hidden: [4]}
    train: {epochs: 1}
    evaluate: {bins: 1, mistakes: 1}
    attack: {eps: [0.01], images: 1, examples: 1}
    insight: {filters: 1, patches: 1, patch_images: 1, validation_images: 1, gradient_images: 1, worst_case_images: 1,
      rotation_steps: 1, shift_steps: 1, attribution_images: 1, confused_pairs: 1, images_per_pair: 1, bins: 1,
      equivariance_shifts: [1], rotations: [0.0], scales: [1.0], shifts: [0.0]}
"""
TEXTS = """
datasets:
  plays: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [play-3], test: [play-4]}
runs:
"""
TEXT_RUN = """  NAME:
    domain: language
    dataset: plays
    seed: 1
    model: {name: NAME}
    train: {epochs: 1}
    evaluate: {samples: 1, sample_tokens: 1}
    attack: {shares: [0.0], excerpts: 1, length: 2}
    insight: {excerpts: 1, length: 2, words: 2, neighbours: 1, state_tokens: 2, samples: 1, sample_tokens: 1,
      recall_steps: 1, temperatures: [0.0]}
"""


def test_two_classes_with_one_image_in_each_split(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for number, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pair" / split / name
            folder.mkdir(parents=True)
            noise = np.random.default_rng(number).integers(0, 256, (12, 12), dtype=np.uint8)
            Image.fromarray(noise).save(folder / "1.png")
    params = tmp_path / "params.yaml"
    params.write_text(IMAGES)
    prepare(tmp_path / "pair", tmp_path / "prepared", read_params(params).own["pair"])
    scores = run_stages_after_training(make_project(tmp_path / "project", IMAGES, {"pair": tmp_path / "prepared"}))
    assert scores["cnn"]["evaluate"]["images"] == 2
    assert scores["cnn"]["attack"]["images"] == 1
    assert scores["cnn"]["attack"]["accuracy_worst_case_0.01"] <= scores["cnn"]["attack"]["accuracy_clean"]


@pytest.mark.parametrize("name", ["ngram", "lstm"])
def test_one_excerpt_and_the_fewest_tokens(tmp_path: Path, language_data: Path, name: str) -> None:
    params = TEXTS + TEXT_RUN.replace("NAME", name)
    scores = run_stages_after_training(make_project(tmp_path, params, {"plays": language_data}))
    assert scores[name]["attack"]["perplexity_random_0"] == scores[name]["attack"]["perplexity_clean"]
