"""Folders with the state of interrupted trainings: data/resume/<run>/<key>. Imports no torch.

The key is the fingerprint of the training. A folder with another key belongs to other params, data or code and cannot
be resumed here, but may be again once these are restored; so it is kept for a while.
"""

import contextlib
import datetime
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

KEEP_DAYS = 30  # for which a folder that cannot be resumed is kept


@dataclass(frozen=True)
class ResumeFolder:
    """`last_used`: seconds since the epoch; `size` in bytes."""

    path: Path
    last_used: float
    size: int

    @property
    def run(self) -> str:
        return self.path.parent.name

    @property
    def days(self) -> float:
        """Days since the last use."""
        return (time.time() - self.last_used) / 86_400

    @property
    def used(self) -> str:
        """The time of the last use, as text."""
        return f"last used {datetime.datetime.fromtimestamp(self.last_used):%Y-%m-%d %H:%M}"


def list_folders(run: Path) -> list[ResumeFolder]:
    """The folders of a run, data/resume/<run>, sorted by name."""
    return [_describe(path) for path in sorted(run.glob("*")) if path.is_dir()]


def _describe(path: Path) -> ResumeFolder:
    stats = [entry.stat() for entry in (path, *path.rglob("*"))]
    return ResumeFolder(path, max(one.st_mtime for one in stats), sum(one.st_size for one in stats[1:]))


def open_folder(run: Path, key: str) -> Path:
    """The folder of the training with this key; other folders of the run are named on stderr, or removed if too old."""
    for folder in list_folders(run):
        if folder.path.name != key:
            _report(folder)
    return run / key


def remove(folder: Path) -> None:
    """Remove a folder, and that of its run if it was the last one."""
    shutil.rmtree(folder)
    with contextlib.suppress(OSError):  # not empty
        folder.parent.rmdir()


def _report(folder: ResumeFolder) -> None:
    where = f"{folder.path} belongs to other params, data or code ({folder.used})"
    if folder.days > KEEP_DAYS:
        remove(folder.path)
        print(f"{where} and was removed: it is kept for {KEEP_DAYS} days", file=sys.stderr)
    else:
        print(f"{where}; `cvnlp clean` removes it", file=sys.stderr)
