"""Several processes in one training, as torchrun, Slurm or Lightning start them. Imports no torch."""

import os
from collections.abc import Mapping

RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # set by torchrun, by Lightning's launcher, and by Slurm


def is_main_process() -> bool:
    """Whether this process writes the results; True in a training of one process."""
    ranks = (os.environ[name] for name in RANK_VARIABLES if name in os.environ)
    return int(next(ranks, 0)) == 0


def started_by_torchrun(environment: Mapping[str, str]) -> bool:
    return "TORCHELASTIC_RUN_ID" in environment


def started_by_srun(environment: Mapping[str, str]) -> bool:
    """Whether this is one of several processes of a job step; the batch script itself is none."""
    return int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1


def process_grid(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Machines and processes on each, as torchrun or Slurm has started them; None if neither has."""
    if started_by_torchrun(environment):
        world, local = int(environment["WORLD_SIZE"]), int(environment["LOCAL_WORLD_SIZE"])
        return world // local, local
    if started_by_srun(environment):
        nodes = int(environment.get("SLURM_STEP_NUM_NODES", "1"))
        return nodes, int(environment["SLURM_STEP_NUM_TASKS"]) // nodes
    return None
