"""The command's side of a search: it starts the processes that train, shows the progress, and ends them cleanly."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study

from cvnlp.tracking.messages import Status
from cvnlp.tracking.recorder import Recorder
from cvnlp.tuning import recording, results, trials
from cvnlp.tuning.paths import TunePaths
from cvnlp.tuning.progress import Progress
from cvnlp.tuning.setting import Setting

POLL = 0.3  # seconds
PATIENCE = 30.0  # seconds that an interrupted worker has to end its trial
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818  (no error)
    """The search was ended by a signal; its trials are kept."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@dataclass(frozen=True)
class Limits:
    """`trials` of the study in all, earlier ones included; `timeout` in seconds, after which no trial begins."""

    trials: int
    timeout: float | None
    jobs: int


def search(setting: Setting, limits: Limits, storage: str | None) -> None:
    """Train trials until the limits are reached. ValueError if no process could work; Interrupted after a signal."""
    paths = TunePaths(setting.paths.tuning, setting.study)
    opened = trials.open_storage(paths.folder, storage)
    before = find_study(setting, opened)
    if len(results.ended(before)) >= limits.trials:
        return
    with _interruptible(), _recording(setting, paths, opened):
        progress = Progress(limits.trials, setting, before)
        with _workers(paths, setting, limits, storage) as workers, progress:
            while any(worker.poll() is None for worker in workers):
                progress.show(find_study(setting, opened))
                time.sleep(POLL)
            progress.show(find_study(setting, opened))
        _check(workers, paths)


def find_study(setting: Setting, storage: BaseStorage) -> Study | None:
    """The study of these settings, if a worker has created it."""
    with contextlib.suppress(KeyError):
        return optuna.load_study(study_name=setting.study, storage=storage)
    return None


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Turn signals into Interrupted while the block runs."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    before: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}
    chosen = [number for number, handler in before.items() if handler is not signal.SIG_IGN]  # as under nohup
    for number in chosen:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in chosen:
            signal.signal(number, before[number])


@contextlib.contextmanager
def _workers(
    paths: TunePaths, setting: Setting, limits: Limits, storage: str | None
) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """The processes that train. Their standard input closes when this process ends, which ends them, too."""
    deadline = time.time() + limits.timeout if limits.timeout else float("inf")
    command = [sys.executable, "-m", "cvnlp.tuning.worker", "--run", setting.run, "--study", setting.study]
    command += ["--limit", str(limits.trials), "--deadline", str(deadline)]
    command += ["--storage", storage] if storage else []
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(limits.jobs):
            started.append(_start(command, paths.log(number + 1)))
        yield started
    finally:
        for worker in started:
            if worker.stdin:
                worker.stdin.close()
        _wait(started)


def _start(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def _wait(workers: "list[subprocess.Popen[bytes]]") -> None:
    """Wait for the end of workers, whose standard input is closed; kill those that do not end."""
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        try:
            worker.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _check(workers: "list[subprocess.Popen[bytes]]", paths: TunePaths) -> None:
    """ValueError with the last line of a worker that failed, if all did; else a warning."""
    failed = [number for number, worker in enumerate(workers, start=1) if worker.returncode]
    for number in failed:
        lines = paths.log(number).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1].removeprefix("error: ") if lines else f"exit code {workers[number - 1].returncode}"
        if len(failed) == len(workers):
            raise ValueError(f"{last} ({paths.log(number)})")
        print(f"warning: a process of the search has ended: {last} ({paths.log(number)})", file=sys.stderr)


@contextlib.contextmanager
def _recording(setting: Setting, paths: TunePaths, storage: BaseStorage) -> Iterator[None]:
    """The search as a run in MLflow, to which those of the trials belong; MLflow may be down."""
    recorder = Recorder()
    recorder.start_run(recording.metadata(setting, None, {}), note=paths.note())
    status: Status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except Interrupted:
        status = "KILLED"
        raise
    finally:
        study = find_study(setting, storage)
        best = results.best(study) if study else None
        if study and best and best.value is not None:
            recorder.log_metrics({"best": best.value}, best.number)
        recorder.end_run(status, {"trials": str(len(results.ended(study)))})
