"""Provenance: machine, code, and the fingerprint of a training."""

import datetime
import platform
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cvnlp import files, provenance
from cvnlp.params.runs import VisionRun

ROOT = Path(__file__).parents[1]


def test_the_machine_is_described_by_what_decides_speed_and_results() -> None:
    found = provenance.machine()
    assert {"processor", "processors", "system", "python", "torch", "date"} <= set(found)
    assert all(found[key] for key in ("processor", "system", "python", "torch"))
    assert datetime.datetime.fromisoformat(found["date"]).tzinfo is not None


def test_the_host_name_is_left_out() -> None:
    assert "host" not in provenance.machine()


@pytest.mark.parametrize(
    ("cpuinfo", "processor"),
    [
        ("model name\t: Abacus 3\nflags\t\t: fpu avx2 avx512f avx512_bf16", "Abacus 3 with avx512_bf16"),
        ("model name\t: Abacus 3\nflags\t\t: fpu avx2", "Abacus 3 with avx2"),
        ("model name\t: Abacus 3\nflags\t\t: fpu", "Abacus 3"),
        ("Hardware\t: beads", "beads and rods"),
        (None, "beads and rods"),
    ],
)
def test_processors_of_one_model_differ_by_their_instruction_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpuinfo: str | None, processor: str
) -> None:
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "beads and rods")
    if cpuinfo is not None:
        files.write_text(tmp_path / "cpuinfo", cpuinfo)
    assert provenance.machine()["processor"] == processor


@pytest.mark.parametrize(("status", "changed"), [("", False), (" M src/cvnlp/files.py", True)])
def test_the_code_is_identified_by_its_commit_and_whether_it_has_changes(
    monkeypatch: pytest.MonkeyPatch, status: str, changed: bool
) -> None:
    answers = {"rev-parse": "0123abcd", "status": status}
    monkeypatch.setattr(provenance, "git", lambda _, command, *more: answers[command])
    found = provenance.machine()
    assert (found["commit"], found["changed"]) == ("0123abcd", changed)


def test_outside_a_repository_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "commit" not in provenance.machine()


def test_the_digest_of_a_model_covers_all_its_files(tmp_path: Path) -> None:
    files.write_text(tmp_path / "config.json", "{}")
    first = provenance.model_digest(tmp_path)
    files.write_text(tmp_path / "model.safetensors", "weights")
    assert provenance.model_digest(tmp_path) != first


# The fingerprint of a training


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the source code, which is the code of the fingerprint."""
    copy = tmp_path / "cvnlp"
    shutil.copytree(ROOT / "src/cvnlp", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def make_run(**changes: Any) -> VisionRun:
    block: dict[str, Any] = {"domain": "vision", "dataset": "made", "seed": 1, "model": {"name": "mlp"}}
    block |= {"train": {"epochs": 1}, "evaluate": {}, "attack": {"eps": [0.1]}, "insight": {}}
    return VisionRun.model_validate(block | changes)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_code_of_the_fingerprint_is_that_of_the_stage_in_dvc_yaml() -> None:
    pipeline = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    deps = [dep for dep in pipeline["stages"]["train"]["do"]["deps"] if dep.startswith("${src}/")]
    assert {"${src}/" + part.replace("{domain}", "${item.domain}") for part in provenance.TRAINING_CODE} == {*deps}


def test_params_and_data_of_the_training_change_the_fingerprint(vision_data: Path, language_data: Path) -> None:
    first = provenance.training_fingerprint(make_run(), vision_data)
    others = [make_run(seed=2), make_run(train={"epochs": 2}), make_run(model={"name": "linear"})]
    found = {provenance.training_fingerprint(run, vision_data) for run in others}
    found.add(provenance.training_fingerprint(make_run(), language_data))
    assert len(found) == 4 and first not in found
    for run in (make_run(), make_run(evaluate={"bins": 3}), make_run(attack={"eps": [0.2]}), make_run(dataset="same")):
        assert provenance.training_fingerprint(run, vision_data) == first


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("training/trainer.py", '"""Fit a task', '"""Some other words'),
        ("training/trainer.py", "    options = task.options\n", "    # a comment\n\n    options = (task.options)\n"),
        (
            "vision/training/task.py",
            '    """Training by the network\'s own rule; its loss is recorded, too."""\n',
            '    """Training."""\n',
        ),
        ("cli/clean.py", "import shutil\n", "import shutil\nimport sys\n"),
        ("vision/report/run.py", '"""', '"""Other. '),
        ("language/training/task.py", "MAX_NLL = 88.0", "MAX_NLL = 80.0"),
        ("stages/report.py", "import sys\n", "import os, sys\n"),
    ],
    ids=["docstring", "comment", "docstring of a class", "command line", "report", "other half", "other stage"],
)
def test_an_edit_that_cannot_change_a_training_keeps_the_fingerprint(
    file: str, old: str, new: str, package: Path, vision_data: Path
) -> None:
    before = provenance.training_fingerprint(make_run(), vision_data)
    edit(package / file, old, new)
    assert provenance.training_fingerprint(make_run(), vision_data) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("training/callbacks.py", "1_000_003", "1_000_005"),
        ("vision/training/augmentation.py", "images.flip(3)", "images.flip(2)"),
        ("vision/models/mlp.py", "import", "import os\nimport"),
        ("params/runs.py", "default=0.001", "default=0.002"),
    ],
)
def test_a_changed_statement_changes_the_fingerprint(
    file: str, old: str, new: str, package: Path, vision_data: Path
) -> None:
    before = provenance.training_fingerprint(make_run(), vision_data)
    edit(package / file, old, new)
    assert provenance.training_fingerprint(make_run(), vision_data) != before


def test_a_moved_file_changes_the_fingerprint(package: Path, vision_data: Path) -> None:
    before = provenance.training_fingerprint(make_run(), vision_data)
    (package / "vision/models/mlp.py").rename(package / "vision/models/perceptron.py")
    assert provenance.training_fingerprint(make_run(), vision_data) != before
