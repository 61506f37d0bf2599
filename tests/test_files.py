"""Files are written atomically, and equal values give equal bytes."""

import errno
import hashlib
import os
from pathlib import Path

import pandas as pd
import pytest

from cvnlp import files


def everything_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    with files.atomic_write(tmp_path / "file") as partial:
        partial.write_text("half")
        assert not (tmp_path / "file").exists()
        partial.write_text("all")
    assert (tmp_path / "file").read_text() == "all"
    assert everything_in(tmp_path) == ["file"]


def test_folders_of_a_file_are_created(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a" / "b" / "file", "text")
    assert (tmp_path / "a" / "b" / "file").read_text() == "text"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_interrupted_writing_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), files.atomic_write(tmp_path / "file") as partial:
        partial.write_text("half")
        raise error
    assert everything_in(tmp_path) == []


def test_interrupted_writing_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(RuntimeError), files.atomic_write(tmp_path / "file") as partial:
        partial.write_text("half of the new")
        raise RuntimeError
    assert (tmp_path / "file").read_text() == "old"
    assert everything_in(tmp_path) == ["file"]


def test_writing_nothing_is_an_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(FileNotFoundError), files.atomic_write(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "old"


def test_new_file_replaces_the_old_one(tmp_path: Path) -> None:
    files.write_text(tmp_path / "file", "a longer old text")
    files.write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_lines_end_the_same_on_every_system(tmp_path: Path) -> None:
    files.write_text(tmp_path / "file", "one\ntwo\n")
    assert (tmp_path / "file").read_bytes() == b"one\ntwo\n"


def test_json_of_the_same_value_is_the_same_bytes(tmp_path: Path) -> None:
    files.write_json(tmp_path / "first", {"b": [1, 0.1], "a": {"d": None, "c": "é"}})
    files.write_json(tmp_path / "second", {"a": {"c": "é", "d": None}, "b": [1, 0.1]})
    first, second = (tmp_path / "first").read_bytes(), (tmp_path / "second").read_bytes()
    assert first == second
    assert first.endswith(b"}\n")
    assert "é".encode() in first


@pytest.mark.parametrize("value", [{"a": 1, "b": [0.1, None, True]}, [], "text", 0.1 + 0.2, {"<unk>": "\n—"}])
def test_json_is_read_as_it_was_written(tmp_path: Path, value: object) -> None:
    files.write_json(tmp_path / "file", value)
    assert files.read_json(tmp_path / "file") == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": object()}, {"a": {1, 2}}])
def test_value_outside_json_is_refused_and_leaves_no_file(tmp_path: Path, value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        files.write_json(tmp_path / "file", value)
    assert everything_in(tmp_path) == []


def test_table_is_csv_with_six_digits(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["é", 'a "b", c', "NA"], "share": [1 / 3, 2e-10, None], "count": [1_000_000, 2, 3]})
    files.write_table(tmp_path / "a" / "table.csv", table)
    expected = 'name,share,count\né,0.333333,1000000\n"a ""b"", c",2e-10,2\nNA,,3\n'
    assert (tmp_path / "a" / "table.csv").read_bytes() == expected.encode()
    assert everything_in(tmp_path) == ["a", "a/table.csv"]


def test_table_without_rows_has_its_header(tmp_path: Path) -> None:
    files.write_table(tmp_path / "table.csv", pd.DataFrame(columns=["epoch", "step"]))
    assert (tmp_path / "table.csv").read_bytes() == b"epoch,step\n"


def test_failed_table_keeps_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.write_table(tmp_path / "table.csv", pd.DataFrame({"name": ["\udcff"]}))
    assert (tmp_path / "table.csv").read_text() == "old"
    assert everything_in(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"{'a': 1}", b"\xff\xfe\x00\x01"])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scores.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"scores\.json"):
        files.read_json(tmp_path / "scores.json")


def test_missing_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"scores\.json"):
        files.read_json(tmp_path / "scores.json")


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 5000])
def test_digest_is_the_sha256_of_the_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert files.sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_full_disk_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*array\.npy'"),
        files.atomic_write(tmp_path / "array.npy"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_error_that_names_its_file_keeps_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"), files.atomic_write(tmp_path / "copy"):
        (tmp_path / "absent").read_bytes()


def test_error_without_a_number_is_unchanged(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"^no route$"), files.atomic_write(tmp_path / "copy"):
        raise ConnectionError("no route")


def test_dvc_shows_the_metrics_among_the_scores(tmp_path: Path) -> None:
    """It ignores lists."""
    path, scores = tmp_path / "scores.json", {"accuracy": 0.5, "images": 4, "nll": 1.25}
    files.write_scores(path, scores, metrics=["accuracy", "never measured"])
    assert files.read_json(path) == {"accuracy": 0.5, "details": [{"images": 4, "nll": 1.25}]}
    assert files.read_scores(path) == scores
    assert files.read_metrics(path) == {"accuracy": 0.5}


def test_scores_that_are_all_metrics_are_a_flat_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    files.write_scores(path, {"accuracy": 0.5}, metrics=["accuracy"])
    assert files.read_json(path) == files.read_scores(path) == files.read_metrics(path) == {"accuracy": 0.5}
