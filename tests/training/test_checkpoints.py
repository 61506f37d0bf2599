"""States of an interrupted training: complete or absent, also on a full disk."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cvnlp.training import checkpoints
from cvnlp.training.checkpoints import LAST, PROGRESS, WITHIN_EPOCH, AtomicCheckpointIO, Reached
from make_trainings import InterruptionError, Trained


def test_a_state_is_written_next_to_the_old_one_and_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / LAST
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)
    before = path.read_bytes()

    def write_half(self: Path, content: memoryview) -> int:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OSError, match=r"No space left on device: '.*last\.ckpt'"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [LAST]


def test_a_training_on_a_full_disk_fails_and_continues_later(
    train: Callable[..., Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, write, written = train("vision"), Path.write_bytes, iter(range(100))

    def fail_once(self: Path, content: bytes) -> int:
        if next(written) == 3:  # the second epoch's
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", fail_once)
    with pytest.raises(OSError, match="No space left on device"):
        train("vision", resume="state")
    assert checkpoints.reached(tmp_path / "state", processes=1) == Reached(1)
    assert train("vision", resume="state").weights == whole.weights


@pytest.mark.parametrize("damaged", [LAST, WITHIN_EPOCH])
def test_a_damaged_state_is_not_used(
    damaged: str, train: Callable[..., Trained], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, state = train("vision"), tmp_path / "state"
    with pytest.raises(InterruptionError):
        train("vision", resume="state", interrupt=("batches", 1), save_every=1e-9)
    path = state / damaged
    path.write_bytes(path.read_bytes()[:-1000])
    assert checkpoints.reached(state, processes=1) == (Reached(0) if damaged == LAST else Reached(1))
    assert train("vision", resume="state").weights == whole.weights
    assert f"{path} is damaged and not used" in capsys.readouterr().err


def test_the_newest_state(tmp_path: Path) -> None:
    assert checkpoints.newest_state(tmp_path, processes=1) is None
    assert checkpoints.reached(tmp_path, processes=1) == Reached(0)
    torch.save({"epoch": 0, PROGRESS: [{"batches": 5}]}, tmp_path / WITHIN_EPOCH)
    assert checkpoints.reached(tmp_path, processes=1) == Reached(0, 5)
    torch.save({"epoch": 0}, tmp_path / LAST)
    assert checkpoints.reached(tmp_path, processes=1) == Reached(1)
    torch.save({"epoch": 1, PROGRESS: [{"batches": 7}] * 2}, tmp_path / WITHIN_EPOCH)
    assert checkpoints.newest_state(tmp_path, processes=2) == tmp_path / WITHIN_EPOCH
    assert checkpoints.newest_state(tmp_path, processes=1) == tmp_path / LAST
