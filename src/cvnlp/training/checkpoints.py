"""The states of an interrupted training: after its last epoch, and within the next one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

LAST = "last.ckpt"  # after the last finished epoch
WITHIN_EPOCH = "within_epoch.ckpt"  # after some batches of an epoch
PROGRESS = "within_epoch"  # in the second file: what a state after an epoch does not have


@dataclass(frozen=True)
class Reached:
    """`epochs` were finished, and `batches` of the next one."""

    epochs: int
    batches: int = 0


def newest_state(folder: Path, processes: int) -> Path | None:
    """The file from which a training with so many processes continues; None if there is none.

    A state within an epoch belongs to the number of processes that saved it: another number repeats the epoch.
    """
    last, within = folder / LAST, folder / WITHIN_EPOCH
    epochs = _finished(last)
    if within.is_file():
        state = _read(within)
        if state["epoch"] == epochs and len(state[PROGRESS]) == processes:
            return within
    return last if epochs else None


def reached(folder: Path, processes: int) -> Reached:
    """How far the training has come from which the next one continues."""
    newest = newest_state(folder, processes)
    if newest is None:
        return Reached(0)
    if newest.name == LAST:
        return Reached(_finished(newest))
    state = _read(newest)
    return Reached(state["epoch"], state[PROGRESS][0]["batches"])


def _finished(last: Path) -> int:
    return int(_read(last)["epoch"]) + 1 if last.is_file() else 0


def _read(path: Path) -> Any:
    return torch.load(path, weights_only=True, map_location="cpu", mmap=True)
