"""Prepared data is memory-mapped, and refused if it is incomplete."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.params.processing import Decoding

ARRAYS = {"train_images": np.arange(120, dtype=np.uint8).reshape(5, 4, 3, 2), "train": np.arange(7, dtype=np.uint16)}


def make_facts(folder: Path) -> prepared.VisionFacts:
    splits = dict.fromkeys(prepared.SPLITS, 0)
    return prepared.VisionFacts(
        source="made",
        licence="",
        citation="",
        duplicates=prepared.DuplicateCounts(within=splits, across={}, dropped=splits),
        arrays=prepared.describe_arrays(folder, ARRAYS),
        shape=[4, 3, 2],
        classes=["a", "b"],
        mean=[0.5, 0.25],
        std=[0.1, 0.2],
        counts={"train": {"a": 3, "b": 2}},
        conflicting=0,
        decoding=Decoding(colour="grey"),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A prepared data set of two arrays."""
    for name, array in ARRAYS.items():
        prepared.save_array(tmp_path / "made", name, array)
    prepared.save_facts(tmp_path / "made", make_facts(tmp_path / "made"))
    return tmp_path / "made"


def test_folder_contains_only_arrays_and_facts(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"facts.json", *(f"{name}.npy" for name in ARRAYS)}


def test_facts_are_read_with_size_and_digest_of_every_array(folder: Path) -> None:
    facts = prepared.read_facts(folder)
    assert facts == make_facts(folder)
    for name, array in ARRAYS.items():
        digest = hashlib.sha256((folder / f"{name}.npy").read_bytes()).hexdigest()
        assert facts.arrays[name].model_dump() == {"bytes": array.nbytes, "sha256": digest}


@pytest.mark.parametrize("name", ARRAYS)
def test_array_is_read_with_its_values_and_type(folder: Path, name: str) -> None:
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
        prepared.read_facts(folder)


def test_missing_folder_is_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent.*facts\.json.*dvc repro"):
        prepared.read_facts(tmp_path / "absent")


def test_damaged_facts_are_named(folder: Path) -> None:
    (folder / "facts.json").write_text('{"source": ', encoding="utf-8")
    with pytest.raises(ValueError, match=r"facts\.json.*dvc repro"):
        prepared.read_facts(folder)


def test_facts_of_the_other_half_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"facts\.json: domain is 'vision'"):
        prepared.read_facts(folder, prepared.LanguageFacts)


def test_facts_of_another_version_are_refused_with_the_key(folder: Path) -> None:
    facts = files.read_json(folder / "facts.json")
    files.write_json(folder / "facts.json", {**facts, "mean": "grey"})
    with pytest.raises(ValueError, match=r"facts\.json.*vision\.mean.*dvc repro"):
        prepared.read_facts(folder)


@pytest.mark.parametrize("kept", [-1, 100, 3, 0])
def test_truncated_array_is_named(folder: Path, kept: int) -> None:
    path = folder / "train_images.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"train_images\.npy.*dvc repro"):
        prepared.read_facts(folder)


def test_missing_array_is_named(folder: Path) -> None:
    (folder / "train.npy").unlink()
    with pytest.raises(ValueError, match=r"train\.npy.*dvc repro"):
        prepared.read_facts(folder)


@pytest.mark.parametrize("other", [np.arange(6, dtype=np.uint16), np.arange(7, dtype=np.uint32)])
def test_array_of_another_size_is_named(folder: Path, other: np.ndarray) -> None:
    prepared.save_array(folder, "train", other)
    with pytest.raises(ValueError, match=r"train\.npy.*dvc repro"):
        prepared.read_facts(folder)


def test_file_that_is_not_an_array_is_named(folder: Path) -> None:
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


def test_error_while_saving_keeps_the_old_array(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(file: object, array: np.ndarray) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("no space left")

    before = files.sha256(folder / "train.npy")
    monkeypatch.setattr(np, "save", half)
    with pytest.raises(OSError, match="no space left"):
        prepared.save_array(folder, "train", ARRAYS["train"])
    assert files.sha256(folder / "train.npy") == before
    assert len(list(folder.iterdir())) == 3


# Written row by row ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "shape"), [(np.uint8, (4, 3, 1)), (np.uint16, ()), (np.uint32, (2,))])
@pytest.mark.parametrize("pieces", [[], [1], [3, 0, 5], [2000]])
def test_array_written_in_pieces_equals_the_array_saved_at_once(
    tmp_path: Path, kind: type, shape: tuple[int, ...], pieces: list[int]
) -> None:
    rows = np.random.default_rng(0).integers(0, 200, (sum(pieces), *shape)).astype(kind)
    with prepared.open_array_writer(tmp_path / "pieces", "rows", kind, shape) as append:
        for piece in np.split(rows, np.cumsum(pieces)[:-1]) if pieces else []:
            append(piece)
    prepared.save_array(tmp_path / "once", "rows", rows)
    assert (tmp_path / "pieces/rows.npy").read_bytes() == (tmp_path / "once/rows.npy").read_bytes()


def test_row_of_another_shape_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"\(3, 3\) do not fit into rows, whose rows have shape \(2, 2\)"),
        prepared.open_array_writer(tmp_path, "rows", np.uint8, (2, 2)) as append,
    ):
        append(np.zeros((1, 3, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_interrupted_writing_keeps_the_old_array(tmp_path: Path, error: BaseException) -> None:
    prepared.save_array(tmp_path, "rows", np.arange(3))
    with pytest.raises(type(error)), prepared.open_array_writer(tmp_path, "rows", np.int64, ()) as append:
        append(np.arange(5))
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]
    assert prepared.load_array(tmp_path, "rows").tolist() == [0, 1, 2]
