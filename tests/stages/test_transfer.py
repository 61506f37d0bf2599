"""The stage `transfer`: tables of the classifiers with attacked images, and empty ones without."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.paths import ProjectPaths
from cvnlp.stages.transfer import transfer
from make_networks import SHAPE, make_config

RUN = """\
  {name}:
    {{domain: vision, dataset: made, seed: {seed}, model: {{name: mlp, hidden: [4]}}, evaluate: {{}}, insight: {{}},
     train: {{epochs: 1, batch_size: 64}}, attack: {{eps: [0.1, 0.2]}}}}
"""
PARAMS = """\
datasets:
  made: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
runs:
""" + "".join(RUN.format(name=name, seed=seed) for seed, name in enumerate(("first", "second", "third")))


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """Three classifiers, of which two have attacked images."""
    paths = ProjectPaths(tmp_path)
    paths.params.write_text(PARAMS, encoding="utf-8")
    generator = np.random.default_rng(1)
    for seed, name in enumerate(("first", "second", "third")):
        config = make_config("vision", "mlp", hidden=[4])
        torch.manual_seed(seed)
        networks.save(paths.run(name, "made").model, networks.build(config), config)
        if name != "third":
            folder = paths.run(name, "made").attacked
            prepared.save_array(folder, "attacked", generator.random((20, 2, *SHAPE), dtype=np.float32))
            prepared.save_array(folder, "rows", np.arange(20))
            prepared.save_array(folder, "labels", np.arange(20) % 10)
            prepared.save_array(folder, "eps", np.array([0.1, 0.2]))
    return paths


def test_tables_have_the_classifiers_with_attacked_images(project: ProjectPaths) -> None:
    transfer(project.root)
    pairs = pd.read_csv(project.transfer)
    assert list(pairs.columns) == ["dataset", "norm", "eps", "source", "target", "accuracy"]
    assert len(pairs) == 2 * 2 * 2
    assert set(pairs["source"]) == set(pairs["target"]) == {"first", "second"}
    network, _ = networks.load(project.run("second", "made").model)
    images = torch.from_numpy(np.array(prepared.load_array(project.run("first", "made").attacked, "attacked")[:, 1]))
    expected = (network(images.permute(0, 3, 1, 2)).argmax(1).numpy() == np.arange(20) % 10).mean()
    row = pairs[(pairs["eps"] == 0.2) & (pairs["source"] == "first") & (pairs["target"] == "second")]
    assert row["accuracy"].tolist() == [pytest.approx(expected)]
    assert len(pd.read_csv(project.transfer_gains)) == 4


def test_without_two_such_runs_the_tables_have_a_header_only(project: ProjectPaths) -> None:
    (project.run("first", "made").attacked / "eps.npy").unlink()
    transfer(project.root)
    assert project.transfer.read_text() == "dataset,norm,eps,source,target,accuracy\n"
    assert project.transfer_gains.read_text() == (
        "dataset,norm,eps,target,own_accuracy,transferred_accuracy,broken_by_transfer_alone\n"
    )
