"""A small project whose run has ranges for a search."""

import shutil
from pathlib import Path

import pytest

from cvnlp import files
from cvnlp.paths import ProjectPaths

PARAMS = """\
# a comment at the top
datasets:
  pictures: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}

runs:
  # the run that is tuned
  first:
    domain: vision
    dataset: pictures
    seed: 1
    model: {name: mlp, hidden: [8], dropout: 0.2}   # small
    train:
      epochs: 4        # few
      batch_size: 50
      lr: 0.0005       # too low
      optimiser: {name: adamw, weight_decay: 0.01}
    evaluate: {}
    attack: {eps: [0.1]}
    insight: {}
    tune:
      train.lr: {log_uniform: [0.0001, 0.1]}
      model.dropout: {uniform: [0.0, 0.5]}
      model.hidden.0: {int: [4, 16]}
      train.optimiser.schedule: {choice: [cosine, linear]}
"""


def make_tuned_project(root: Path, data: Path, monkeypatch: pytest.MonkeyPatch, params: str = PARAMS) -> Path:
    paths = ProjectPaths(root)
    files.write_text(paths.params, params)
    shutil.copytree(data, paths.prepared("pictures"))
    files.write_text(root / "dvc.yaml", "stages: {}\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    return root
