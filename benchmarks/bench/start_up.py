"""Seconds from the start of a stage's process to the start of its work, against `import torch` (for the report, against
`import pandas, matplotlib.pyplot`).
"""

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from bench.processes import environment, python
from bench.results import Pairs
from bench.rounds import alternate
from bench.setting import Setting
from bench.small_project import small_project
from bench.stage_start import STARTED

IMPORTS = {"report": "pandas, matplotlib.pyplot"}  # of other stages: torch
RUN = "cnn"


def measure(setting: Setting, *, stage: str) -> Pairs:
    imports = f"import {IMPORTS.get(stage, 'torch')}; print({STARTED!r}, flush=True)"
    with small_project(setting, RUN) as folder:
        command = python("-m", "bench.stage_start", stage, "" if stage == "report" else RUN)
        other = python("-c", imports)
        seconds_to_start(command, folder)  # now the system's cache holds the files of both
        return alternate(
            lambda: seconds_to_start(command, folder), lambda: seconds_to_start(other, folder), setting.rounds
        )


def seconds_to_start(command: Sequence[str], folder: Path) -> float:
    """Seconds until the process prints STARTED; then it is killed with its children. RuntimeError if it fails."""
    started = time.perf_counter()
    errors = folder / "errors.txt"
    with errors.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(DVC_ROOT=str(folder)), stdout=subprocess.PIPE, stderr=file, text=True
        )
    assert process.stdout is not None
    with process.stdout:
        line = next((line for line in process.stdout if line.strip() == STARTED), "")
    seconds = time.perf_counter() - started
    _kill(process)
    if not line:
        raise RuntimeError(f"{' '.join(command)} did not start: {errors.read_text(errors='replace').strip()[-2000:]}")
    return seconds


def _kill(process: subprocess.Popen[str]) -> None:
    """The process that records a training in MLflow would go on, and disturb the next measurement."""
    tree = []
    with contextlib.suppress(psutil.NoSuchProcess):
        tree = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
