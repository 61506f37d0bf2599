"""A user's own files: listing them, and skipping unusable ones up to a stated share."""

import os
from collections.abc import Iterator
from pathlib import Path

from cvnlp import files

# Folders and files with these names, in upper or lower case, hold a split.
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
IGNORED_FILES = ("Thumbs.db", "desktop.ini")  # written by Windows; hidden files are ignored as well
EXAMPLES_IN_ERROR = 5


def walk(root: Path) -> Iterator[str]:
    """Yield the paths of all files below `root`, relative to it, with `/` as separator, sorted by name in each folder.

    Hidden files and folders are left out. OSError names a folder that cannot be read. ValueError names a symbolic link
    to a folder: links are never followed, for DVC would not notice a change behind them, and they may form a loop.
    """
    yield from _walk(root, "")


def _walk(root: Path, folder: str) -> Iterator[str]:
    with os.scandir(root / folder) as iterator:
        entries = sorted(iterator, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name in IGNORED_FILES:
            continue
        if entry.is_dir() and entry.is_symlink():
            raise ValueError(
                f"{printable(entry.path)} is a link to a folder, which is not followed: changes behind it would go "
                "unnoticed; put the folder itself there"
            )
        if entry.is_dir():
            yield from _walk(root, f"{folder}{entry.name}/")
        else:
            yield f"{folder}{entry.name}"


def printable(path: str) -> str:
    """Return a file name as valid UTF-8: bytes that are not UTF-8 become backslash escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class UnreadableFileError(ValueError):
    """A file that has to be skipped; the message is the reason."""


class SkippedFiles:
    """The files that could not be used, with the reasons."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, path: str, reason: str) -> None:
        self._rows.append((printable(path), reason))

    def check(self, total: int, share: float, place: Path) -> None:
        """ValueError if more than `share` of `total` files were skipped."""
        if len(self) <= share * total:
            return
        first = "; ".join(f"{path}: {reason}" for path, reason in self._rows[:EXAMPLES_IN_ERROR])
        more = f"; and {len(self) - EXAMPLES_IN_ERROR} more" if len(self) > EXAMPLES_IN_ERROR else ""
        raise ValueError(
            f"{len(self)} of {total} files in {place} cannot be used, but max_skipped allows a share of {share:g} "
            f"({first}{more}); repair or remove them, or raise max_skipped"
        )

    def save(self, path: Path) -> None:
        files.write_rows(path, ("file", "reason"), self._rows)
