"""A new folder that appears complete or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

FORMATS = ("safetensors", "onnx", "pt2")


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `target`; rename it to `target` at the end, or remove it after an error.

    ValueError if `target` exists, unless it is an empty folder.
    """
    _check(target)
    partial = target.absolute().with_name(f".{target.absolute().name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        yield partial
        _check(target)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ValueError(f"{target} exists and is no folder; name a new one")
    if target.is_dir() and any(target.iterdir()):
        raise ValueError(f"the folder {target} is not empty; name a new one")
