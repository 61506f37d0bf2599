"""The stage that trains, in two processes of this machine: started by Lightning, by torchrun, and under `dvc repro`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloning import ROOT, Clone, clone_project
from cvnlp import files

PARAMS = """
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 4000}
own: {}
runs:
  mlp:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: mlp, hidden: [16]}
    train: {epochs: 2, batch_size: 50, lr: 0.01}
    evaluate: {}
    attack: {eps: [0.1], images: 20}
    insight: {}
  rules:
    {domain: vision, dataset: digits, seed: 1, model: {name: rules}, train: {epochs: 0}, evaluate: {},
     attack: {eps: [0.1], images: 20}, insight: {}}
"""
LAUNCHES = {
    "one": {},
    "lightning": {"CVNLP_DEVICES": "2"},
    "torchrun": {"CVNLP_LAUNCHER": f"{Path(sys.executable).parent}/torchrun --nproc-per-node=2 --no-python --"},
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = clone_project(tmp_path_factory.mktemp("devices"))
    (made.folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    made.environment["CVNLP_ACCELERATOR"] = "cpu"
    return made


@pytest.fixture(scope="module")
def histories(clone: Clone) -> dict[str, str]:
    """The learning curves of each launch."""
    found = {}
    for name, variables in LAUNCHES.items():
        launched = Clone(clone.folder, Path(clone.environment["CVNLP_MIRROR"]))
        launched.environment |= {"CVNLP_ACCELERATOR": "cpu", **variables}
        again = ("--force", "--single-item") if found else ()
        launched("dvc", "repro", *again, "train@mlp")
        found[name] = (clone.folder / "reports/history/mlp.csv").read_text()
        processes = files.read_json(clone.folder / "reports/durations/mlp.json")["processes"]
        assert processes == (1 if name == "one" else 2)
    return found


def test_two_processes_learn_as_one(histories: dict[str, str]) -> None:
    """No dropout, no augmentation: the same batches give the same numbers, to four digits."""
    numbers = {
        name: [float(value) for value in re.split("[,\n]", text.partition("\n")[2].strip())]
        for name, text in histories.items()
    }
    assert numbers["lightning"] == pytest.approx(numbers["one"], rel=1e-3, abs=1e-6)
    assert numbers["torchrun"] == pytest.approx(numbers["lightning"], rel=1e-3, abs=1e-6)


def test_each_training_has_one_run_in_mlflow_and_leaves_no_state(clone: Clone, histories: dict[str, str]) -> None:
    client, experiment = clone.mlflow()
    runs = client.search_runs([experiment])
    assert [run.info.status for run in runs] == ["FINISHED"] * len(histories)
    epochs = [len(client.get_metric_history(run.info.run_id, "validation_nll")) for run in runs]
    assert epochs == [2] * len(histories)
    assert not list((clone.folder / "data/resume").glob("*/*"))


def test_a_network_without_training_needs_no_second_process(clone: Clone, histories: dict[str, str]) -> None:
    clone.environment["CVNLP_DEVICES"] = "2"
    assert clone.repro("--single-item", "train@rules") == ["train@rules"]
    assert (clone.folder / "data/models/rules/config.json").is_file()


def test_wrong_settings_are_refused_before_a_model_is_removed(clone: Clone, histories: dict[str, str]) -> None:
    clone.environment["CVNLP_DEVICES"] = "none"
    message = clone("cvnlp", "repro", "--jobs", "1", "train@mlp", check=False)
    assert "CVNLP_DEVICES: 'none' is not valid; valid choices: a whole number, 1 or more" in message
    assert (clone.folder / "data/models/mlp/config.json").is_file()


def test_the_batch_file_for_slurm() -> None:
    """It is run on a cluster only; here, its syntax and the names that it uses."""
    path = ROOT / "docs/train.sbatch"
    text = path.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert 'export CVNLP_LAUNCHER="srun --kill-on-bad-exit=1"' in text
    options = re.findall(r"^#SBATCH --([a-z-]+)", text, re.MULTILINE)
    assert {"nodes", "ntasks-per-node", "gpus-per-node", "requeue"} <= set(options)
