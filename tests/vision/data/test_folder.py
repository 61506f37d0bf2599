"""Listing a user's folder of images, and the layouts that are refused before anything is decoded."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from cvnlp.data.prepared import SPLITS
from cvnlp.vision.data.folder import PathList, list_images


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def refused(root: Path, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        list_images(root)
    assert "\n" not in str(error.value)


def test_classes_and_labels_are_those_of_torchvision(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    from torchvision.datasets import ImageFolder

    root = make_folder(tmp_path, ("dog", "Cat", "10", "9", "zoë b", "_x"), count=3)
    expected = ImageFolder(root)
    listing = list_images(root)
    assert listing.classes == expected.classes
    found = {str(root / listing.paths[n]): label for n, label in enumerate(listing.labels)}
    assert found == dict(expected.samples)


def test_nested_files_belong_to_the_class_above(tmp_path: Path) -> None:
    listing = list_images(touch(tmp_path, "a/x/y/1.png", "a/2.png", "b/3.png"))
    assert [listing.paths[n] for n in range(3)] == ["a/2.png", "a/x/y/1.png", "b/3.png"]
    assert list(listing.labels) == [0, 0, 1]
    assert listing.given == ["train"]


@pytest.mark.parametrize(("train", "validation", "test"), [("train", "val", "test"), ("Training", "dev", "TESTING")])
def test_folders_named_after_splits_are_splits(tmp_path: Path, train: str, validation: str, test: str) -> None:
    listing = list_images(touch(tmp_path, *(f"{top}/{c}/1" for top in (train, validation, test) for c in "ab")))
    found = {listing.paths[n]: SPLITS[split] for n, split in enumerate(listing.splits)}
    expected = {"train": train, "validation": validation, "test": test}
    assert found == {f"{expected[split]}/{c}/1": split for split in SPLITS for c in "ab"}
    assert listing.given == list(SPLITS)


def test_train_among_other_folders_is_a_class(tmp_path: Path) -> None:
    listing = list_images(touch(tmp_path, "train/1", "car/1", "bus/1"))
    assert listing.classes == ["bus", "car", "train"]


def test_files_outside_class_folders_are_strays(tmp_path: Path) -> None:
    assert list_images(touch(tmp_path / "flat", "a/1", "b/1", "readme.txt")).strays == ["readme.txt"]
    root = touch(tmp_path / "split", "train/a/1", "train/b/1", "test/a/1", "test/b/1", "test/2", "list.txt")
    assert sorted(list_images(root).strays) == ["list.txt", "test/2"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    listing = list_images(touch(tmp_path, "a/1", "a/.DS_Store", "a/Thumbs.db", "b/1", ".git/x", ".hidden"))
    assert (listing.classes, len(listing.paths), listing.strays) == (["a", "b"], 2, [])


def test_names_of_any_bytes_are_listed_and_shown(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9 1")
    listing = list_images(touch(tmp_path, f"{odd}/{odd}.png", "猫/x y.png"))
    assert listing.classes == [r"caf\xe9 1", "猫"]
    assert listing.paths[0] == f"{odd}/{odd}.png"


def test_path_list_returns_the_paths_unchanged() -> None:
    paths, wanted = PathList(), ["a/b.png", "", "zoë/猫.png", os.fsdecode(b"\xff/x")]
    for path in wanted:
        paths.append(path)
    assert [paths[number] for number in range(len(paths))] == wanted


def test_no_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent", "absent does not exist: `path` must be a folder")
    refused(touch(tmp_path, "file") / "file", "file is a file: `path` must be a folder")


def test_folder_without_classes_is_refused(tmp_path: Path) -> None:
    refused(touch(tmp_path, "1.png", "2.png"), "has no folders: put the images of each class into a folder")


def test_one_class_is_refused(tmp_path: Path) -> None:
    refused(touch(tmp_path, "a/1"), "has 1 class folders; it must have 2")


def test_class_folder_without_files_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/1", "b/1", "c/.hidden")
    refused(tmp_path, "class folders without any file: c")


@pytest.mark.parametrize(
    "pair",
    [("Cat", "cat"), (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")), ("Straße", "STRASSE")],
)
def test_classes_that_are_equal_on_other_systems_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    refused(touch(tmp_path, *(f"{name}/1" for name in pair), "dog/1"), "differ only in case")


def test_such_classes_in_different_splits_are_refused(tmp_path: Path) -> None:
    refused(touch(tmp_path, "train/Cat/1", "train/b/1", "test/cat/1", "test/b/1"), "differ only in case")


def test_split_with_other_classes_is_refused(tmp_path: Path) -> None:
    fewer = touch(tmp_path / "1", "train/a/1", "train/b/1", "test/a/1")
    refused(fewer, "test does not have the same classes as train: it lacks b")
    more = touch(tmp_path / "2", "train/a/1", "train/b/1", "val/a/1", "val/b/1", "val/c/1")
    refused(more, "val does not have .* adds c")


def test_empty_split_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    refused(touch(tmp_path, "train/a/1", "train/b/1"), "test has no folders")


def test_splits_without_train_are_refused(tmp_path: Path) -> None:
    refused(touch(tmp_path, "val/a/1", "test/a/1"), r"folders for the splits test, val, but none for train")


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{top}/{c}/1" for top in ("train", "val", "valid") for c in "ab"))
    refused(root, r"2 folders for the validation split \(val, valid\): keep one")


def test_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    root = touch(tmp_path / "root", "a/1", "b/1")
    (root / "a" / "loop").symlink_to(root)
    refused(root, "loop is a link to a folder")


def test_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, scandir = touch(tmp_path, "a/x/1", "b/1"), os.scandir

    def scan(path: Path) -> object:
        if str(path).rstrip("/").endswith("a/x"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(PermissionError, match=r"Permission denied.*a/x"):
        list_images(root)
