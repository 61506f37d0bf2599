"""Whether a file holds what the catalogue states, however it was compressed on its way."""

import contextlib
import gzip
import hashlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from cvnlp import files
from cvnlp.catalogue import File

PIECE = 1 << 20  # bytes at a time
LOOSE = 1 << 20  # bytes that an archive zipped anew may be larger than twice the published one
DENSEST = 20  # times that a member may be larger than its archive; text shrinks to a third, pictures hardly

_BROKEN = (
    EOFError,
    RuntimeError,  # encrypted, or compressed in an unknown way
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Absent(Exception):  # noqa: N818  (a verdict on a place, as Wrong is one on a file)
    """A place does not have the file; str() is the reason."""


class Unreached(Absent):
    """A place gave no answer at all."""


class Wrong(Exception):  # noqa: N818
    """A file is not the one that is expected; str() goes on from its name."""


def most(file: File) -> int:
    """The most bytes that the content may have; an archive that was zipped anew may have grown."""
    return 2 * file.size + LOOSE if file.members else file.size


def take(found: Path, file: File, target: Path) -> None:
    """Write what `found` holds, unzipped, to `target`; Wrong if that is not the content of `file`.

    No more than the stated size is written, whatever a gzipped file grows to.
    """
    digest, size = hashlib.sha256(), 0
    with _opened(found, file) as stream, target.open("wb") as output:
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > most(file):
                raise Wrong(f"holds more than the {file.size} bytes that are expected")
            digest.update(piece)
            output.write(piece)
    if digest.hexdigest() != file.sha256 and not _has_members(target, file):
        raise Wrong(f"has SHA-256 {digest.hexdigest()}, but {file.sha256} is expected")


def is_right(path: Path, file: File) -> bool:
    """Whether `path` is the file, whole, as `take` leaves it."""
    if not path.is_file():
        return False
    if path.stat().st_size == file.size and files.sha256(path) == file.sha256:
        return True
    return _has_members(path, file)


def members(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the wanted members of a zip or tar archive, in the order wanted.

    They are read in place. Nothing is unpacked to disk, so it does not matter where other members want to go; links
    and devices are no content. ValueError if a member is missing, damaged, or states a size that cannot be true.
    """
    limit = DENSEST * path.stat().st_size + LOOSE
    try:
        yield from (_of_zip if zipfile.is_zipfile(path) else _of_tar)(path, wanted, limit)
    except _BROKEN as error:
        raise ValueError(f"{path} is no whole archive ({error or type(error).__name__})") from None


@contextlib.contextmanager
def _opened(path: Path, file: File) -> Iterator[BinaryIO | gzip.GzipFile]:
    with path.open("rb") as raw:
        gzipped = not file.is_archive and raw.read(2) == b"\x1f\x8b"  # a name does not tell: servers unzip unasked
        raw.seek(0)
        try:
            yield gzip.GzipFile(fileobj=raw) if gzipped else raw
        except _BROKEN as error:
            raise Wrong(f"is no whole gzip file ({error})") from None


def _has_members(path: Path, file: File) -> bool:
    """Whether all members that are read have their published SHA-256, which must be known of every one."""
    if not file.members or None in file.members.values():
        return False
    try:
        found = {name: hashlib.sha256(content).hexdigest() for name, content in members(path, list(file.members))}
    except ValueError:
        return False
    return found == file.members


def _of_zip(path: Path, wanted: Sequence[str], limit: int) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        entries = {
            entry.filename: entry
            for entry in archive.infolist()
            if not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)
        }
        _check(path, {name: entry.file_size for name, entry in entries.items()}, wanted, limit)
        for name in wanted:
            yield name, archive.read(entries[name])


def _of_tar(path: Path, wanted: Sequence[str], limit: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        entries = {entry.name: entry for entry in archive if entry.isreg()}
        _check(path, {name: entry.size for name, entry in entries.items()}, wanted, limit)
        for name in wanted:
            content = archive.extractfile(entries[name])
            assert content is not None, "a regular file has content"
            yield name, content.read()


def _check(path: Path, sizes: dict[str, int], wanted: Sequence[str], limit: int) -> None:
    for name in wanted:
        if name not in sizes:
            raise ValueError(f"{path} has no member {name!r} that is a file")
        if sizes[name] > limit:
            raise ValueError(f"{path}: member {name!r} states {sizes[name]} bytes, more than {limit} cannot be true")
