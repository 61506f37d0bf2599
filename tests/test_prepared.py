"""Prepared data is memory-mapped, and used only where it is whole."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from cvnlp import files, prepared

ARRAYS = {"train_images": np.arange(120, dtype=np.uint8).reshape(5, 4, 3, 2), "train": np.arange(7, dtype=np.uint16)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A prepared data set of two arrays."""
    for name, array in ARRAYS.items():
        prepared.save_array(tmp_path / "made", name, array)
    prepared.save_facts(tmp_path / "made", {"source": "made"}, ARRAYS)
    return tmp_path / "made"


def test_folder_holds_the_arrays_and_the_facts_alone(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"facts.json", *(f"{name}.npy" for name in ARRAYS)}


def test_facts_come_back_with_size_and_digest_of_every_array(folder: Path) -> None:
    facts = prepared.facts(folder)
    assert facts["source"] == "made"
    for name, array in ARRAYS.items():
        digest = hashlib.sha256((folder / f"{name}.npy").read_bytes()).hexdigest()
        assert facts["arrays"][name] == {"bytes": array.nbytes, "sha256": digest}


@pytest.mark.parametrize("name", ARRAYS)
def test_array_comes_back_with_its_values_and_kind(folder: Path, name: str) -> None:
    array = prepared.load_array(folder, name)
    assert array.dtype == ARRAYS[name].dtype
    np.testing.assert_array_equal(array, ARRAYS[name])


def test_array_is_a_memory_map_that_cannot_be_written(folder: Path) -> None:
    array = prepared.load_array(folder, "train")
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_folder_without_facts_is_not_prepared(folder: Path) -> None:
    (folder / "facts.json").unlink()
    with pytest.raises(ValueError, match=r"made.*facts\.json.*dvc repro"):
        prepared.facts(folder)


def test_folder_that_is_absent_is_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent.*facts\.json.*dvc repro"):
        prepared.facts(tmp_path / "absent")


def test_damaged_facts_are_named(folder: Path) -> None:
    (folder / "facts.json").write_text('{"source": ', encoding="utf-8")
    with pytest.raises(ValueError, match=r"facts\.json.*dvc repro"):
        prepared.facts(folder)


@pytest.mark.parametrize("kept", [-1, 100, 3, 0])
def test_truncated_array_is_named(folder: Path, kept: int) -> None:
    path = folder / "train_images.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"train_images\.npy.*dvc repro"):
        prepared.facts(folder)


def test_missing_array_is_named(folder: Path) -> None:
    (folder / "train.npy").unlink()
    with pytest.raises(ValueError, match=r"train\.npy.*dvc repro"):
        prepared.facts(folder)


@pytest.mark.parametrize("other", [np.arange(6, dtype=np.uint16), np.arange(7, dtype=np.uint32)])
def test_array_of_another_size_is_named(folder: Path, other: np.ndarray) -> None:
    prepared.save_array(folder, "train", other)
    with pytest.raises(ValueError, match=r"train\.npy.*dvc repro"):
        prepared.facts(folder)


def test_file_that_is_no_array_is_named(folder: Path) -> None:
    (folder / "train.npy").write_text("seven numbers", encoding="utf-8")
    with pytest.raises(ValueError, match=r"train\.npy"):
        prepared.load_array(folder, "train")


@pytest.mark.parametrize("hidden", ["pickle", "array of objects"])
def test_no_pickle_is_loaded_as_an_array(folder: Path, hidden: str) -> None:
    if hidden == "pickle":
        (folder / "train.npy").write_bytes(pickle.dumps([1, 2, 3]))
    else:
        np.save(folder / "train.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"train\.npy"):
        prepared.load_array(folder, "train")


def test_error_while_saving_leaves_the_old_array(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(file: object, array: np.ndarray) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("no space left")

    before = files.sha256(folder / "train.npy")
    monkeypatch.setattr(np, "save", half)
    with pytest.raises(OSError, match="no space left"):
        prepared.save_array(folder, "train", ARRAYS["train"])
    assert files.sha256(folder / "train.npy") == before
    assert len(list(folder.iterdir())) == 3
