"""The paths of the user's own files: they exist, and DVC notices when they change."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cvnlp.params.datasets import Own

# What DVC ignores (.dvcignore and its own list) or makes: changes of own files in there would go unnoticed or be lost
MANAGED = (
    ".git",
    ".dvc",
    ".hg",
    ".venv",
    "src",
    "mlflow",
    "reports",
    "data/raw",
    "data/resume",
    "data/trainings",
    "data/prepared",
    "data/models",
    "data/evaluations",
    "data/attacks",
    "data/insights",
    "data/seeds",
    "data/chosen_seeds",
    "data/tune",
)


def mistakes(params: Path, blocks: Mapping[str, Own]) -> Iterator[str]:
    """One line for each block of `own` whose path does not exist or is not watched by DVC; relative to `params`."""
    root = params.parent.resolve()
    for name, block in blocks.items():
        path = (root / block.path).resolve()
        key = f"{params}: own.{name}.path: {block.path!r}"
        folder = next((folder for folder in MANAGED if _overlap(path, root / folder)), None)
        if not path.exists():
            yield f"{key} does not exist; give a file or a folder, absolute or from {root}"
        elif folder:
            yield f"{key} overlaps with {folder}, where DVC does not notice changes; move the files, to data/own maybe"
        elif refused := next(_names_that_dvc_refuses(path), None):
            yield f"{key}: the name of {refused} is not UTF-8, which DVC refuses; rename it"


def _names_that_dvc_refuses(path: Path) -> Iterator[str]:
    """Files and folders below `path` whose names are not UTF-8, with escapes in place of the wrong bytes."""
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                os.fsencode(name).decode("utf-8")
            except UnicodeDecodeError:
                yield os.fsencode(os.path.join(folder, name)).decode("utf-8", "backslashreplace")  # noqa: PTH118


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
