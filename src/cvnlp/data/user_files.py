"""A user's own files: which there are, and those that cannot be used, skipped up to a stated share and listed."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cvnlp import files

# Folders and files of these names, in any case, are splits.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
LEFT_BY_SYSTEMS = ("Thumbs.db", "desktop.ini")  # beside all names that begin with a dot


def walk(root: Path) -> Iterator[str]:
    """The paths below `root` of all files, `/` between folders, sorted by name folder by folder.

    Hidden files and folders are left out. OSError names a folder that cannot be read; ValueError a link to a folder,
    which is never followed, so that no loop can arise: DVC would not notice a change behind it.
    """
    yield from _walk(root, "")


def _walk(root: Path, folder: str) -> Iterator[str]:
    with os.scandir(root / folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name in LEFT_BY_SYSTEMS:
            continue
        if entry.is_dir() and entry.is_symlink():
            raise ValueError(
                f"{shown(entry.path)} is a link to a folder, which is not followed: changes behind it would go "
                "unnoticed; put the folder itself there"
            )
        if entry.is_dir():
            yield from _walk(root, f"{folder}{entry.name}/")
        else:
            yield f"{folder}{entry.name}"


def shown(path: str) -> str:
    """A file name as text that every file and terminal takes, whatever bytes the name holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class Unusable(ValueError):  # noqa: N818  (a verdict on a file, not a failure)
    """A file that has to be skipped; the message is the reason."""


class Skipped:
    """The files that could not be used, with the reasons."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, path: str, reason: str) -> None:
        self._rows.append((shown(path), reason))

    def check(self, total: int, share: float, place: Path) -> None:
        """ValueError if more than `share` of `total` files were skipped."""
        if len(self) <= share * total:
            return
        first = "; ".join(f"{path}: {reason}" for path, reason in self._rows[:5])
        more = f"; and {len(self) - 5} more" if len(self) > 5 else ""
        raise ValueError(
            f"{len(self)} of {total} files in {place} cannot be used, but max_skipped allows a share of {share:g} "
            f"({first}{more}); mend or remove them, or raise max_skipped"
        )

    def save(self, path: Path) -> None:
        save_table(path, ("file", "reason"), self._rows)


def save_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV file, row by row; names of files have to be as `shown` makes them."""
    with files.whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
