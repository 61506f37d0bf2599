"""Members of archives are read in place, whatever else the archive contains."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cvnlp.data.download import verify

TEXTS = {"folder/b": b"second " * 1000, "folder/a": b"first", "empty": b""}


def make_zip(path: Path, texts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return path


def make_tar(path: Path, texts: dict[str, bytes], *links: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for link in links:
            archive.addfile(link)
        for name, text in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return path


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


KINDS = pytest.mark.parametrize("make", [make_zip, make_tar])
Maker = Callable[[Path, dict[str, bytes]], Path]


@KINDS
def test_members_come_in_the_requested_order(tmp_path: Path, make: Maker) -> None:
    path = make(tmp_path / "archive", TEXTS)
    for wanted in (sorted(TEXTS), sorted(TEXTS, reverse=True), ["folder/a"], []):
        assert list(verify.read_members(path, wanted)) == [(name, TEXTS[name]) for name in wanted]


@KINDS
def test_nothing_is_written_for_members_that_point_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Maker
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    outside = ("../evil", str(tmp_path / "evil"), "folder/../../evil")
    path = make(tmp_path / "archive", {**dict.fromkeys(outside, b"evil"), **TEXTS})
    assert dict(verify.read_members(path, list(TEXTS))) == TEXTS
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["archive", "here"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "folder/a"])
def test_link_or_device_in_a_tar_is_not_followed(tmp_path: Path, kind: bytes, target: str) -> None:
    path = make_tar(tmp_path / "archive", TEXTS, link("wanted", kind, target))
    with pytest.raises(ValueError, match="no member 'wanted' that is a regular file"):
        dict(verify.read_members(path, ["wanted"]))


def test_link_in_a_zip_is_not_followed(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("wanted")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ValueError, match="no member 'wanted' that is a regular file"):
        dict(verify.read_members(tmp_path / "archive", ["wanted"]))


@KINDS
def test_missing_member_is_named_with_the_archive(tmp_path: Path, make: Maker) -> None:
    path = make(tmp_path / "archive", TEXTS)
    with pytest.raises(ValueError, match="archive has no member 'folder/c'"):
        dict(verify.read_members(path, ["folder/c"]))


@KINDS
def test_member_far_larger_than_its_archive_is_refused(tmp_path: Path, make: Maker) -> None:
    path = make(tmp_path / "archive", {"bomb": bytes(5_000_000), "small": b"text"})
    with pytest.raises(ValueError, match="'bomb' states 5000000 bytes"):
        dict(verify.read_members(path, ["bomb"]))
    assert dict(verify.read_members(path, ["small"])) == {"small": b"text"}


@KINDS
@pytest.mark.parametrize("cut", [0, 1, 30, -20])
def test_damaged_archive_is_named(tmp_path: Path, make: Maker, cut: int) -> None:
    path = make(tmp_path / "archive", TEXTS)
    path.write_bytes(path.read_bytes()[:cut] if cut else b"no archive at all")
    with pytest.raises(ValueError, match="archive is not a complete archive"):
        dict(verify.read_members(path, list(TEXTS)))


def test_member_with_a_wrong_checksum_is_an_error(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "archive", {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a", b"first text")
    path.write_bytes(path.read_bytes().replace(b"first text", b"other text"))
    with pytest.raises(ValueError, match="not a complete archive"):
        dict(verify.read_members(path, ["a"]))


def test_error_of_the_caller_is_not_reported_as_one_of_the_archive(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "archive", TEXTS)
    with pytest.raises(EOFError):
        for _ in verify.read_members(path, list(TEXTS)):
            raise EOFError
