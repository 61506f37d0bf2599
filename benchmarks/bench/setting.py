"""What all measures of `make bench` receive: where the prepared data are, how much to measure, how often."""

import os
from dataclasses import dataclass
from pathlib import Path

from cvnlp.params import read_params
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths

BENCHMARKS = Path(__file__).parents[1]
ROOT = BENCHMARKS.parent
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class NotMeasuredError(Exception):
    """A measure that lacks something; the message names the command to run."""


@dataclass(frozen=True)
class Setting:
    """`project` and `whole`: the folders of the default pipeline and of benchmarks/; `rounds` of each measure."""

    project: Path = ROOT
    whole: Path = BENCHMARKS
    full: bool = False
    rounds: int = 3

    def run(self, name: str) -> VisionRun | LanguageRun:
        """A run of the default pipeline."""
        return read_params(self.project / "params.yaml").runs[name]

    def prepared(self, dataset: str) -> Path:
        """The prepared data of the default pipeline."""
        return _complete(ProjectPaths(self.project).prepared(dataset), "`make repro`")

    def prepared_whole(self, dataset: str) -> Path:
        """The prepared data of a data set of benchmarks/."""
        command = f"`dvc repro prepare@{dataset}` in benchmarks/"
        return _complete(ProjectPaths(self.whole).prepared(dataset), command)

    def model(self, run: str) -> Path:
        """A trained network of the default pipeline."""
        folder = ProjectPaths(self.project).models / run
        if not (folder / "config.json").is_file():
            raise NotMeasuredError(f"{folder} has no model: run `make repro`")
        return folder


def _complete(folder: Path, command: str) -> Path:
    if not (folder / "facts.json").is_file():
        raise NotMeasuredError(f"{folder} has no prepared data: run {command}")
    return folder
