"""Atomic writing, reading and checksums of files, and output that any terminal can show."""

import contextlib
import csv
import hashlib
import io
import json
import math
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # stages that write no table need no pandas
    import pandas as pd

DETAILS = "details"  # in a file of scores: those that are no metrics


def print_any_text() -> None:
    """From now on print letters that the terminal cannot show as backslash escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def add_path_to_errors(path: Path) -> Iterator[None]:
    """Add `path` to an OSError that names no file, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` at the end, or delete it after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with add_path_to_errors(path):
            yield partial
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text; lines end with a line feed on every system."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys and a final newline: equal values give equal bytes. ValueError for NaN."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def write_scores(path: Path, scores: Mapping[str, float], *, metrics: Collection[str]) -> None:
    """Write finite scores as JSON; a warning names the others, of a network that has diverged.

    DVC and MLflow show those named in `metrics`. The others are in a list, in which DVC looks for no metrics.
    """
    infinite = sorted(name for name, value in scores.items() if not math.isfinite(value))
    if infinite:
        names = ", ".join(infinite)
        print(f"warning: not finite, and left out of {path}: {names}; the training has diverged", file=sys.stderr)
    finite = {name: value for name, value in scores.items() if name not in infinite}
    details = {name: value for name, value in finite.items() if name not in metrics}
    shown = {name: value for name, value in finite.items() if name in metrics}
    write_json(path, shown | {DETAILS: [details]} if details else shown)


def read_scores(path: Path) -> dict[str, Any]:
    """All scores of a file that `write_scores` has written."""
    content = read_json(path)
    (details,) = content.pop(DETAILS, [{}])
    return content | details


def read_metrics(path: Path) -> dict[str, float]:
    """The scores of a file that DVC and MLflow show."""
    return {name: value for name, value in read_json(path).items() if name != DETAILS}


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write CSV with numbers to six significant digits."""
    with atomic_write(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n", encoding="utf-8")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write CSV row by row, so that the table need not fit into memory."""
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_json(path: Path) -> Any:
    """Parse a JSON file; ValueError names a damaged one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a complete JSON file ({error}); remove it and run `dvc repro`") from None


def sha256(path: Path) -> str:
    """SHA-256 of the file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
