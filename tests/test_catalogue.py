"""Every entry of the catalogue has what is needed to download, verify, split and cite it."""

import re
from pathlib import PurePosixPath

import pytest

from cvnlp.catalogue import SOURCES, File, format_bytes
from cvnlp.data.prepared import SPLITS
from cvnlp.domains import HALVES
from cvnlp.params.datasets import LanguageDataset, VisionDataset

EVERY_SOURCE = pytest.mark.parametrize("name", SOURCES)
EVERY_FILE = pytest.mark.parametrize(
    "file", [pytest.param(file, id=f"{name}-{file.name}") for name, source in SOURCES.items() for file in source.files]
)
SHA256 = re.compile("[0-9a-f]{64}")


@EVERY_SOURCE
def test_entry_is_complete(name: str) -> None:
    source = SOURCES[name]
    assert source.domain in HALVES
    assert source.files
    assert all((source.title, source.licence, source.citation, source.homepage.startswith("http")))
    assert len({file.name for file in source.files}) == len(source.files)


@EVERY_SOURCE
def test_example_has_the_splits_that_are_not_official(name: str) -> None:
    source = SOURCES[name]
    assert source.official_splits == tuple(split for split in SPLITS[1:] if split not in source.example_options)


@EVERY_SOURCE
def test_example_is_a_valid_block_of_params(name: str) -> None:
    source = SOURCES[name]
    form = {"vision": VisionDataset, "language": LanguageDataset}[source.domain]
    form(domain=source.domain, source=name, seed=1, **source.example_options)


@EVERY_FILE
def test_file_can_be_downloaded_and_verified(file: File) -> None:
    assert SHA256.fullmatch(file.sha256)
    assert file.size > 0
    assert file.urls or file.package
    assert all(SHA256.fullmatch(digest) for digest in (file.members or {}).values() if digest is not None)


@EVERY_FILE
def test_name_is_that_of_the_decompressed_content(file: File) -> None:
    assert PurePosixPath(file.name).name == file.name
    assert file.is_archive or not file.name.endswith(".gz")
    assert file.is_archive or not file.members


@EVERY_FILE
def test_urls_are_valid_and_different(file: File) -> None:
    assert all(re.fullmatch(r"https?://[\w.-]+/\S+", url) for url in file.urls)
    assert len(set(file.urls)) == len(file.urls)


@EVERY_FILE
def test_package_that_is_downloaded_is_pinned(file: File) -> None:
    assert file.package is None or file.inside or "==" in file.package


@pytest.mark.parametrize(("size", "words"), [(170_052_171, "170.1 MB"), (100_000, "0.1 MB"), (10_008, "10.0 kB")])
def test_size_is_readable(size: int, words: str) -> None:
    assert format_bytes(size) == words
