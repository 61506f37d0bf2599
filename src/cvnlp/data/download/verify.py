"""Check files against the size and SHA-256 in the catalogue, and read members of archives safely."""

import contextlib
import gzip
import hashlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from cvnlp import files
from cvnlp.catalogue import File

CHUNK_SIZE = 1 << 20  # bytes
RECOMPRESSION_SLACK = 1 << 20  # bytes by which a recompressed archive may exceed twice the published size
MAX_EXPANSION = 20  # a member may be this many times larger than its archive: text shrinks to a third, images less
GZIP_MAGIC = b"\x1f\x8b"

_DAMAGED = (
    EOFError,
    RuntimeError,  # encrypted, or an unknown compression method
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class NotFoundError(Exception):
    """A location does not have the file; str() is the reason."""


class UnreachableError(NotFoundError):
    """A server did not answer at all."""


class ContentMismatchError(Exception):
    """A file differs from the catalogue entry; str() continues a sentence that begins with the file's name."""


def max_size(file: File) -> int:
    """Largest acceptable size in bytes; a recompressed archive may be larger than the published one."""
    return 2 * file.size + RECOMPRESSION_SLACK if file.members else file.size


def copy_verified(found: Path, file: File, target: Path) -> None:
    """Copy `found`, gunzipped if it is gzipped, to `target`; ContentMismatchError if it is not `file`.

    Never writes more than `max_size` and one chunk, so that a gzip bomb cannot fill the disk.
    """
    digest, size = hashlib.sha256(), 0
    with _open_gunzipped(found, file) as stream, target.open("wb") as output:
        while chunk := stream.read(CHUNK_SIZE):
            size += len(chunk)
            if size > max_size(file):
                raise ContentMismatchError(f"holds more than the expected {file.size} bytes")
            digest.update(chunk)
            output.write(chunk)
    if digest.hexdigest() != file.sha256 and not _has_published_members(target, file):
        raise ContentMismatchError(f"has SHA-256 {digest.hexdigest()}, but {file.sha256} is expected")


def is_verified(path: Path, file: File) -> bool:
    """Whether `path` exists and has the content of `file`."""
    if not path.is_file():
        return False
    if path.stat().st_size == file.size and files.sha256(path) == file.sha256:
        return True
    return _has_published_members(path, file)


def read_members(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted members of a zip or tar archive, in the order of `wanted`.

    Nothing is extracted to disk, so paths that point outside the archive do no harm; links and devices are not
    followed. ValueError if a member is missing or damaged, or states a size above `MAX_EXPANSION`.
    """
    limit = MAX_EXPANSION * path.stat().st_size + RECOMPRESSION_SLACK
    try:
        yield from (_read_zip if zipfile.is_zipfile(path) else _read_tar)(path, wanted, limit)
    except _DAMAGED as error:
        raise ValueError(f"{path} is not a complete archive ({error or type(error).__name__})") from None


@contextlib.contextmanager
def _open_gunzipped(path: Path, file: File) -> Iterator[BinaryIO | gzip.GzipFile]:
    with path.open("rb") as raw:
        # by content and not by name: some servers decompress on the way
        gzipped = not file.is_archive and raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        try:
            yield gzip.GzipFile(fileobj=raw) if gzipped else raw
        except _DAMAGED as error:
            raise ContentMismatchError(f"is not a complete gzip file ({error})") from None


def _has_published_members(path: Path, file: File) -> bool:
    """Whether every member that is read has a published SHA-256 and matches it."""
    if not file.members or None in file.members.values():
        return False
    try:
        found = {name: hashlib.sha256(content).hexdigest() for name, content in read_members(path, list(file.members))}
    except ValueError:
        return False
    return found == file.members


def _read_zip(path: Path, wanted: Sequence[str], limit: int) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        entries = {
            entry.filename: entry
            for entry in archive.infolist()
            if not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)
        }
        _check_sizes(path, {name: entry.file_size for name, entry in entries.items()}, wanted, limit)
        for name in wanted:
            yield name, archive.read(entries[name])


def _read_tar(path: Path, wanted: Sequence[str], limit: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        entries = {entry.name: entry for entry in archive if entry.isreg()}
        _check_sizes(path, {name: entry.size for name, entry in entries.items()}, wanted, limit)
        for name in wanted:
            stream = archive.extractfile(entries[name])
            if stream is not None:  # None for links alone, which are no entries here
                yield name, stream.read()


def _check_sizes(path: Path, sizes: Mapping[str, int], wanted: Sequence[str], limit: int) -> None:
    for name in wanted:
        if name not in sizes:
            raise ValueError(f"{path} has no member {name!r} that is a regular file")
        if sizes[name] > limit:
            raise ValueError(f"{path}: member {name!r} states {sizes[name]} bytes, above the limit of {limit}")
