"""`dvc repro` when nothing has changed, against the import of DVC alone."""

import subprocess

from bench.processes import environment, python
from bench.results import Pairs
from bench.rounds import alternate, seconds
from bench.setting import NotMeasuredError, Setting

UP_TO_DATE = "Data and pipelines are up to date."


def measure(setting: Setting) -> Pairs:
    run = {"cwd": setting.project, "env": environment(), "capture_output": True, "text": True}
    status = subprocess.run(python("-m", "dvc", "status"), check=False, **run)  # type: ignore[call-overload]
    if UP_TO_DATE not in status.stdout:
        raise NotMeasuredError("the pipeline has something to do: run `make repro`")

    def measured(*arguments: str) -> float:
        return seconds(lambda: subprocess.run(python(*arguments), check=True, **run))  # type: ignore[call-overload]

    return alternate(lambda: measured("-m", "dvc", "repro"), lambda: measured("-c", "import dvc.repo"), setting.rounds)
