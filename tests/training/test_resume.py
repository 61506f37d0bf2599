"""Folders with the state of interrupted trainings: those that cannot be resumed are kept for a while."""

import os
import time
from pathlib import Path

import pytest

from cvnlp import files
from cvnlp.training import resume


def make_folder(run: Path, key: str, *, days: float) -> Path:
    """A folder that was last used so many days ago, whose files were written one after the other."""
    for number, name in enumerate(("last.ckpt", "best.ckpt")):
        files.write_text(run / key / name, "x" * 100)
        used = time.time() - (days + 1 - number) * 86_400
        os.utime(run / key / name, (used, used))
    old = time.time() - (days + 10) * 86_400
    os.utime(run / key, (old, old))
    return run / key


def test_a_folder_is_described_by_its_size_and_last_use(tmp_path: Path) -> None:
    made = make_folder(tmp_path / "cnn", "0123", days=4)
    (folder,) = resume.list_folders(tmp_path / "cnn")
    assert (folder.path, folder.run, folder.size) == (made, "cnn", 200)
    assert folder.days == pytest.approx(4, abs=0.01)
    assert resume.list_folders(tmp_path / "never trained") == []


def test_folders_of_other_trainings_are_kept_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = make_folder(tmp_path / "cnn", "0123", days=resume.KEEP_DAYS - 1)
    assert resume.open_folder(tmp_path / "cnn", "4567") == tmp_path / "cnn" / "4567"
    assert (other / "last.ckpt").is_file()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{other} belongs to other params, data or code (last used 2")
    assert line.endswith("; `cvnlp clean` removes it")


def test_the_folder_of_the_same_training_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_folder(tmp_path / "cnn", "0123", days=1000)
    resume.open_folder(tmp_path / "cnn", "0123")
    assert (tmp_path / "cnn/0123/last.ckpt").is_file()
    assert capsys.readouterr().err == ""


def test_folders_of_other_trainings_are_removed_when_too_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_folder(tmp_path / "cnn", "0123", days=resume.KEEP_DAYS + 1)
    resume.open_folder(tmp_path / "cnn", "4567")
    assert not other.exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert str(other) in line and "removed" in line and f"{resume.KEEP_DAYS} days" in line
