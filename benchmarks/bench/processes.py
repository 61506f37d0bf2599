"""Child processes of measures: their seconds, their peak memory, and the JSON that they print."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.setting import BENCHMARKS, ROOT
from cvnlp import files

LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Usage:
    """Of a child process: `peak`, the largest resident memory in bytes (ru_maxrss); `anonymous`, the part of it that is
    not backed by files such as memory-mapped arrays, sampled, 0 where the system does not state it.
    """

    seconds: float
    peak: int
    anonymous: int


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: it imports this working tree, and sees no variable of a stage that may be running."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    path = os.pathsep.join([str(ROOT / "src"), str(BENCHMARKS)])
    return inherited | {"PYTHONPATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"} | more


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def print_result(value: Any) -> None:
    """Print the result of a child for `run_for_json`, after everything else on its standard output."""
    print("\n" + json.dumps(value), flush=True)


def run_for_json(module: str, *arguments: object) -> Any:
    """Run a module; returns what it printed last, as JSON. RuntimeError with its errors if it failed."""
    command = python("-m", module, *map(str, arguments))
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(command: Sequence[str], folder: Path, **more: str) -> Usage:
    """Run a command in a folder to its end. RuntimeError with its output if it failed."""
    result, output = folder / "usage.json", folder / "output.txt"
    launched = [sys.executable, "-I", "-S", str(LAUNCHER), str(result), *command]
    with output.open("w") as file:
        done = subprocess.run(launched, cwd=folder, env=environment(**more), stdout=file, stderr=file, check=False)
    if done.returncode:
        text = output.read_text(errors="replace").strip()
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {text[-2000:]}")
    return Usage(**files.read_json(result))
