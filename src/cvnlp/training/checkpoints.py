"""The states of an interrupted training, after its last epoch and within the next one: written, found and read."""

import io
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from cvnlp import files

LAST = "last.ckpt"  # after the last finished epoch
WITHIN_EPOCH = "within_epoch.ckpt"  # after some batches of an epoch
PROGRESS = "within_epoch"  # in the second file: what a state after an epoch does not have


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a file under another name in the same folder and renames it: a state is complete, or as it was before.

    Lightning's own writes into the folder of temporary files and moves the result, which is a copy if that is on
    another disk. A full disk, or a process that is killed meanwhile, then leaves half of it.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()  # torch reports a full disk as an error of its own
        torch.save(checkpoint, content)
        with files.atomic_write(Path(path)) as partial:
            partial.write_bytes(content.getbuffer())


@dataclass(frozen=True)
class Reached:
    """`epochs` were finished, and `batches` of the next one."""

    epochs: int
    batches: int = 0


def newest_state(folder: Path, processes: int) -> Path | None:
    """The file from which a training with so many processes continues; None if there is none.

    A state within an epoch belongs to the number of processes that saved it: another number repeats the epoch.
    """
    last, within = _read(folder / LAST), _read(folder / WITHIN_EPOCH)
    epochs = _finished(last)
    if within and within["epoch"] == epochs and len(within[PROGRESS]) == processes:
        return folder / WITHIN_EPOCH
    return folder / LAST if last else None


def reached(folder: Path, processes: int) -> Reached:
    """How far the training has come from which the next one continues."""
    newest = newest_state(folder, processes)
    state = _read(newest) if newest else None
    if state and PROGRESS in state:
        return Reached(state["epoch"], state[PROGRESS][0]["batches"])
    return Reached(_finished(state))


def _finished(last: Any) -> int:
    return int(last["epoch"]) + 1 if last else 0


def _read(path: Path) -> Any:
    """The content; None if there is no such file, or it is damaged, as after a loss of power."""
    if not path.is_file():
        return None
    if zipfile.is_zipfile(path):
        return torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    print(f"warning: {path} is damaged and not used; the training starts before it", file=sys.stderr)
    return None
