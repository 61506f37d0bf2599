"""Several processes in one training, as torchrun or Lightning start them. Imports no torch."""

import os

RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # set by torchrun, by Lightning's launcher, and by Slurm


def is_main_process() -> bool:
    """Whether this process writes the results; True in a training of one process."""
    ranks = (os.environ[name] for name in RANK_VARIABLES if name in os.environ)
    return int(next(ranks, 0)) == 0
