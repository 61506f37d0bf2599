"""`cvnlp repro`: the pipeline by DVC, with independent runs side by side and without repeated imports."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from cvnlp.files import read_scores
from cvnlp.hand_over import SOCKET
from cvnlp.paths import ProjectPaths
from cvnlp.progress import waiting

PROJECT = ProjectPaths()
STAGES = ("train", "evaluate", "attack", "insight", "seeds")  # of a run, in the order of their dependencies
FIRST = ("check", "prepare", "prepare_own")
LAST = ("transfer", "report")  # of all runs together: run by DVC itself, after all of them
NOISE = (">", "\t", "Updating lock file", "Use `dvc push`", "To track", "To enable")  # of DVC, repeated by every lane


def repro(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[TARGET]...", help="Stages such as evaluate@cnn.", show_default="all")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Runs at a time.", show_default="the number of processors")
    ] = os.cpu_count() or 1,
    accelerator: Annotated[
        str | None, typer.Option(help="Device of every stage: auto, cpu, cuda or mps.", show_default="auto")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="Processes of a training, each with a device.", show_default="1")
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(min=1, help="Parts of a batch, to save memory.", show_default="1")
    ] = None,
) -> None:
    """Run the pipeline, several runs at a time.

    Runs the stages that changed, as `dvc repro` does and with the same results, but the stages of different runs side
    by side, and with the imports of torch and Lightning done once for all. A run that fails stops no other one; it is
    named at the end, and the report is not written.

    The devices can also be chosen by the variables CVNLP_ACCELERATOR, CVNLP_DEVICES, ... (docs/devices.md), which apply
    to `dvc repro`, too.
    """
    from cvnlp.cli.reproduction import reproduction
    from cvnlp.launch.settings import choose, read_launch
    from cvnlp.params import read_params

    choose(os.environ, accelerator=accelerator, devices=devices, accumulate=accumulate)
    read_launch()  # a mistake ends the command before DVC removes any output
    started = time.monotonic()
    _run_pipeline(targets or [], jobs)
    if line := reproduction(read_params(PROJECT.params), PROJECT):
        print(line)
    print(f"the pipeline took {time.monotonic() - started:.0f} seconds")


def _run_pipeline(targets: Sequence[str], jobs: int) -> None:
    own = dict(os.environ)
    pending = _pending(targets)
    with _stage_server() if _needs_torch(pending) else contextlib.nullcontext(own) as environment:
        if first := [stage for stage in pending if _kind(stage) in FIRST]:
            _dvc(["repro", *first], own)
            if not _all_runs(pending):
                pending = _pending(targets)
        failed = _run_lanes(_lanes(pending, targets), jobs, environment)
        if failed:
            sys.exit(f"error: failed: {', '.join(failed)}; their messages are above, everything else is complete")
        _dvc(["repro", *targets], own)


def _needs_torch(pending: Sequence[str]) -> bool:
    """Whether a stage of a run will run: prepared data that changes makes runs pending."""
    return any(_kind(stage) not in ("check", *LAST) for stage in pending)


def _kind(stage: str) -> str:
    return stage.partition("@")[0]


def _pending(targets: Sequence[str]) -> list[str]:
    """The stages whose inputs, settings, code or outputs differ from dvc.lock."""
    command = ["dvc", "status", "--json", *(["--with-deps", *targets] if targets else [])]
    with waiting.shown("looking for changes"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return [stage.rpartition(":")[2] for stage in json.loads(done.stdout)]


def _all_runs(pending: Sequence[str]) -> bool:
    """Whether all runs have a pending stage: then prepared data makes no more of them pending."""
    from cvnlp.params import read_params

    return set(read_params(PROJECT.params).runs) <= {stage.partition("@")[2] for stage in pending}


def _lanes(pending: list[str], targets: Sequence[str]) -> list[list[str]]:
    """For every run with a pending stage, its stages in order; with targets, only the training and those.

    The longest training comes first, so that all lanes end at about the same time.
    """
    runs = sorted(dict.fromkeys(stage.partition("@")[2] for stage in pending if _kind(stage) in STAGES), key=_cost)
    lanes = [[f"{kind}@{run}" for kind in STAGES] for run in runs]
    if targets:
        lanes = [[stage for stage in lane if stage in targets or stage in pending] for lane in lanes]
    return lanes


def _cost(run: str) -> float:
    """Minus the multiply-adds of the last training of a run; 0 for one that has no results yet."""
    path = PROJECT.run(run, "").training
    if not path.is_file():
        return 0.0
    scores = read_scores(path)
    return -float(scores["multiply_adds"]) * float(scores["examples"])


def _run_lanes(lanes: list[list[str]], jobs: int, environment: dict[str, str]) -> list[str]:
    """Run the lanes, `jobs` at a time; returns the names of the runs that failed."""
    running = _Running(len(lanes))
    with waiting.shown(running.describe), ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        codes = list(pool.map(lambda lane: _run_lane(lane, environment, running), lanes))
    return [lane[0].partition("@")[2] for lane, code in zip(lanes, codes, strict=True) if code]


_PRINTING = threading.Lock()


class _Running:
    """Which stages are running, and since when; `total` runs."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.stages: dict[str, tuple[str, float]] = {}

    def notice(self, run: str, line: str) -> None:
        """Read a line of DVC's output."""
        if found := re.match(r"Running stage '(.+)'", line):
            self.stages[run] = (found[1], time.monotonic())

    def end(self, run: str) -> None:
        self.stages.pop(run, None)
        self.done += 1

    def describe(self, _: float) -> str:
        now = time.monotonic()
        stages = [f"{stage} {now - since:.0f} s" for stage, since in list(self.stages.values())]
        return f"{self.done} of {self.total} runs complete; running: {', '.join(stages) or 'DVC'}"


def _run_lane(lane: list[str], environment: dict[str, str], running: _Running) -> int:
    """Run stages of one run one after the other, each line of their output behind the name of the run."""
    run = lane[0].partition("@")[2]
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", *lane]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="backslashreplace"
    )
    for line in process.stdout or ():
        running.notice(run, line)
        if line.strip() and not line.startswith(NOISE):
            with _PRINTING:
                print(f"[{run}] {line.rstrip()}", flush=True)
    running.end(run)
    return process.wait()


def _dvc(arguments: Sequence[str], environment: dict[str, str]) -> None:
    code = subprocess.run(["dvc", *arguments], env=environment, check=False).returncode
    if code:
        sys.exit(code)


@contextlib.contextmanager
def _stage_server() -> Iterator[dict[str, str]]:
    """The environment of the stages: with a server from which they are forked, where the system has what it needs."""
    if not hasattr(os, "pidfd_open"):  # Linux only
        yield dict(os.environ)
        return
    with tempfile.TemporaryDirectory(prefix="cvnlp-") as folder:
        place = Path(folder) / "stages"
        command = [sys.executable, "-m", "cvnlp.cli.stage_server", str(place)]
        server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path("src").resolve())})
        try:
            yield {**os.environ, SOCKET: str(place)}
        finally:
            server.terminate()
            server.wait()
