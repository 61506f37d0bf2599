"""The largest memory of each stage's process, against that of one that imports torch.

Trainings are shortened to one epoch: later ones use the same memory.
"""

from pathlib import Path

from bench.processes import Usage, python
from bench.processes import measure as run_measured
from bench.results import Pairs
from bench.setting import Setting
from bench.small_project import small_project

STAGES = ("train", "evaluate", "attack", "insight")
MIB = 2**20


def measure(setting: Setting, *, run: str) -> dict[str, Pairs]:
    """MiB by stage. One round: repeated, they differ by less than one per cent."""
    with small_project(setting, run, changes={"train": {"epochs": 1}}) as folder:
        imports = run_measured(python("-c", "import torch"), folder).peak / MIB
        return {stage: _pairs(run_stage(folder, stage, run), imports) for stage in STAGES}


def run_stage(folder: Path, stage: str, run: str) -> Usage:
    command = python("-m", f"cvnlp.stages.{stage}", "--run", run)
    return run_measured(command, folder, DVC_ROOT=str(folder))


def _pairs(usage: Usage, imports: float) -> Pairs:
    details = {"seconds": usage.seconds, "anonymous": usage.anonymous / MIB}
    return Pairs(ours=[usage.peak / MIB], baseline=[imports], details=details)
