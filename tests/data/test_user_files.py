"""A user's files are listed in order; unusable ones are skipped up to a stated share."""

import csv
import os
from pathlib import Path

import pytest

from cvnlp.data import user_files
from cvnlp.data.user_files import SkippedFiles


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_files_are_found_at_every_depth_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/10.png", "b/deep/er/x", "a/z", "c")
    assert list(user_files.walk(tmp_path)) == ["a/z", "b/10.png", "b/2.png", "b/deep/er/x", "c"]


def test_names_may_have_spaces_and_letters_of_any_language(tmp_path: Path) -> None:
    names = ["Äpfel und Öl/größe 1.png", "猫/写真 1.png", "кот/ж.png"]
    assert sorted(user_files.walk(touch(tmp_path, *names))) == sorted(names)


@pytest.mark.parametrize("name", [".DS_Store", "a/.hidden", ".git/config", "Thumbs.db", "a/desktop.ini", "a/._1.png"])
def test_hidden_and_system_files_are_ignored(tmp_path: Path, name: str) -> None:
    assert list(user_files.walk(touch(tmp_path, "a/1.png", name))) == ["a/1.png"]


def test_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/1.png", "own/a/0.png")
    (tmp_path / "own/a/1.png").symlink_to(tmp_path / "elsewhere/1.png")
    (tmp_path / "own/a/2.png").symlink_to("nowhere")  # listed too: reading it is an error
    assert list(user_files.walk(tmp_path / "own")) == ["a/0.png", "a/1.png", "a/2.png"]


@pytest.mark.parametrize("target", [".", "..", "../b", "/"])
def test_link_to_a_folder_is_refused(tmp_path: Path, target: str) -> None:
    touch(tmp_path, "a/1", "b/2")
    (tmp_path / "a/link").symlink_to(target)
    with pytest.raises(ValueError, match="a/link is a link to a folder"):
        list(user_files.walk(tmp_path))


def test_root_may_be_a_link(tmp_path: Path) -> None:
    touch(tmp_path, "real/a/1")
    (tmp_path / "link").symlink_to("real")
    assert list(user_files.walk(tmp_path / "link")) == ["a/1"]


def test_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/1", "closed/2")
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="closed"):
        list(user_files.walk(tmp_path))


def test_name_of_any_bytes_is_printable(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    touch(tmp_path, name)
    (found,) = user_files.walk(tmp_path)
    assert found == name
    assert user_files.printable(found) == "caf\\xe9.png"
    assert user_files.printable("Größe.png") == "Größe.png"


# Skipping -------------------------------------------------------------------------------------------------------------


def skipped(count: int) -> SkippedFiles:
    made = SkippedFiles()
    for number in range(count):
        made.add(f"{number}.png", "truncated")
    return made


@pytest.mark.parametrize(("count", "total", "share"), [(0, 0, 0.0), (0, 5, 0.0), (1, 100, 0.01), (3, 4, 0.75)])
def test_allowed_share_passes(count: int, total: int, share: float) -> None:
    skipped(count).check(total, share, Path("album"))


@pytest.mark.parametrize(("count", "total", "share"), [(1, 99, 0.01), (1, 1, 0.5), (1, 10, 0.0)])
def test_larger_share_is_an_error_with_the_reasons(count: int, total: int, share: float) -> None:
    with pytest.raises(ValueError, match="max_skipped") as caught:
        skipped(count).check(total, share, Path("album"))
    for words in (f"{count} of {total} files in album", f"a share of {share:g}", "0.png: truncated"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_error_lists_only_the_first_files() -> None:
    with pytest.raises(ValueError, match="and 995 more"):
        skipped(1000).check(1000, 0.1, Path("album"))


def test_skipped_files_are_saved_as_a_table(tmp_path: Path) -> None:
    made = SkippedFiles()
    made.add('a, "b".png', "not a picture")
    made.add(os.fsdecode(b"caf\xe9.png"), "empty")
    made.save(tmp_path / "skipped.csv")
    with (tmp_path / "skipped.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["file", "reason"],
            ['a, "b".png', "not a picture"],
            ["caf\\xe9.png", "empty"],
        ]


def test_table_may_be_empty(tmp_path: Path) -> None:
    SkippedFiles().save(tmp_path / "skipped.csv")
    assert (tmp_path / "skipped.csv").read_text() == "file,reason\n"
