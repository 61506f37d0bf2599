"""A user's own images: the arrays, the skipped files, and the result of an interruption."""

import csv
import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.vision import data

Prepare = Callable[..., VisionFacts]
Contents = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def root(tmp_path: Path, make_folder: Callable[..., Path]) -> Path:
    return make_folder(tmp_path / "pictures")


@pytest.fixture
def many(tmp_path: Path, make_folder: Callable[..., Path]) -> Path:
    """Enough files for several processes, and at the size `LARGE` for several chunks."""
    return make_folder(tmp_path / "many", count=40)


LARGE = [200, 200]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# What is kept ---------------------------------------------------------------------------------------------------------


def test_every_row_is_the_image_of_its_file(tmp_path: Path, root: Path, prepare: Prepare) -> None:
    facts = prepare(root, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "files.csv")
    assert sorted(row["file"] for row in rows) == sorted(str(path.relative_to(root)) for path in root.rglob("*.png"))
    for row in rows:
        image = prepared.load_array(tmp_path / "out", f"{row['split']}_images")[int(row["row"])]
        label = prepared.load_array(tmp_path / "out", f"{row['split']}_labels")[int(row["row"])]
        assert np.array_equal(image, np.asarray(Image.open(root / row["file"])))
        assert facts.classes[label] == row["class"] == row["file"].split("/")[0]


def test_facts_of_own_files(tmp_path: Path, root: Path, prepare: Prepare) -> None:
    facts = prepare(root, tmp_path / "out")
    assert facts.counts == {
        "train": {"cat": 4, "dog": 4},
        "validation": {"cat": 2, "dog": 2},
        "test": {"cat": 2, "dog": 2},
    }
    assert (facts.source, facts.licence, facts.citation) == ("own files", "the user's own", "")
    assert (facts.read, facts.skipped, facts.shape, facts.conflicting) == (16, 0, [6, 5, 3], 0)
    stored = prepared.read_facts(tmp_path / "out")
    assert stored == facts


@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("rgb", 3)])
def test_images_have_the_given_size_and_colour(
    tmp_path: Path, root: Path, prepare: Prepare, colour: str, channels: int
) -> None:
    prepare(root, tmp_path / "out", size=[3, 8], colour=colour)
    assert prepared.load_array(tmp_path / "out", "train_images").shape == (8, 3, 8, channels)


def test_given_splits_are_kept(tmp_path: Path, make_folder: Callable[..., Path], prepare: Prepare) -> None:
    for place, top in enumerate(("train", "val", "test")):
        make_folder(tmp_path / "root" / top, count=4, first=100 * place)
    prepare(tmp_path / "root", tmp_path / "out", validation=None, test=None)
    for row in rows_of(tmp_path / "out" / "files.csv"):
        assert row["file"].startswith({"validation": "val"}.get(row["split"], row["split"]) + "/")


def test_given_split_cannot_be_held_out(tmp_path: Path, make_folder: Callable[..., Path], prepare: Prepare) -> None:
    for place, top in enumerate(("train", "test")):
        make_folder(tmp_path / "root" / top, count=4, first=100 * place)
    for path in (tmp_path / "root").rglob("*.png"):
        path.write_bytes(b"")  # decoding would be another error
    with pytest.raises(ValueError, match=r"`test` is 0\.25, but the folder .*root has its own test split"):
        prepare(tmp_path / "root", tmp_path / "out")
    with pytest.raises(ValueError, match=r"`validation` is null, but the folder .*root has no validation split"):
        prepare(tmp_path / "root", tmp_path / "out", validation=None, test=None)


def test_names_of_any_bytes_are_prepared(tmp_path: Path, root: Path, prepare: Prepare) -> None:
    (root / "cat" / "00.png").rename(root / "cat" / os.fsdecode(b'\xff, "x".png'))
    (root / "dog").rename(root / os.fsdecode(b"\xfe dog"))
    facts = prepare(root, tmp_path / "out")
    assert facts.classes == ["cat", r"\xfe dog"]
    assert r'cat/\xff, "x".png' in {row["file"] for row in rows_of(tmp_path / "out" / "files.csv")}


# What is skipped ------------------------------------------------------------------------------------------------------


def test_skipped_files_are_listed_with_reasons(tmp_path: Path, root: Path, prepare: Prepare) -> None:
    (root / "cat" / "05.png").write_bytes(b"")
    (root / "dog" / "notes.txt").write_text("no picture")
    (root / "list.csv").write_text("in no class")
    facts = prepare(root, tmp_path / "out", max_skipped=0.2)
    assert {row["file"]: row["reason"] for row in rows_of(tmp_path / "out" / "skipped.csv")} == {
        "list.csv": "not in a class folder",
        "cat/05.png": "empty",
        "dog/notes.txt": "not a complete image in PNG, JPEG, WEBP, BMP or GIF",
    }
    assert (facts.read, facts.skipped) == (15, 3)
    assert "cat/05.png" not in {row["file"] for row in rows_of(tmp_path / "out" / "files.csv")}


def test_too_many_skipped_files_are_an_error(tmp_path: Path, root: Path, prepare: Prepare) -> None:
    (root / "cat" / "05.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 of 16 files .* share of 0\.05 \(cat/05\.png: empty\)"):
        prepare(root, tmp_path / "out", max_skipped=0.05)
    assert list((tmp_path / "out").iterdir()) == []


def test_class_without_usable_files_is_named(tmp_path: Path, root: Path, prepare: Prepare) -> None:
    for path in (root / "dog").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"class dog \(has 0\)"):
        prepare(root, tmp_path / "out", max_skipped=0.5)


def test_nothing_is_printed(
    tmp_path: Path, root: Path, prepare: Prepare, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """Neither Pillow's warnings nor a progress bar."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x7f\0\0\0\0"
    Image.new("RGB", (5, 6)).save(root / "cat" / "00.png", exif=exif)
    prepare(root, tmp_path / "out")
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


# Copies ---------------------------------------------------------------------------------------------------------------


def test_copies_are_listed_by_their_files(tmp_path: Path, root: Path, prepare: Prepare) -> None:
    shutil.copy(root / "cat" / "00.png", root / "cat" / "copy.png")
    shutil.copy(root / "cat" / "01.png", root / "dog" / "01b.png")
    facts = prepare(root, tmp_path / "out")
    listed = {frozenset((row["file"], row["copy_file"])) for row in rows_of(tmp_path / "out" / "duplicates.csv")}
    assert listed == {frozenset(("cat/00.png", "cat/copy.png")), frozenset(("cat/01.png", "dog/01b.png"))}
    assert facts.conflicting == 1


def test_dropping_copies_keeps_the_first_of_train_and_all_held_out_images(
    tmp_path: Path, make_folder: Callable[..., Path], prepare: Prepare
) -> None:
    root = tmp_path / "root"
    for place, top in enumerate(("train", "test")):
        make_folder(root / top, count=6, first=100 * place)
    shutil.copy(root / "test" / "cat" / "00.png", root / "train" / "cat" / "leak.png")
    shutil.copy(root / "train" / "dog" / "00.png", root / "train" / "dog" / "again.png")
    facts = prepare(root, tmp_path / "out", test=None, duplicates="drop")
    assert facts.duplicates.dropped == {"train": 2, "test": 0}
    assert not any(facts.duplicates.across.values())
    kept = {row["file"] for row in rows_of(tmp_path / "out" / "files.csv")}
    every = {str(path.relative_to(root)) for path in root.rglob("*.png")}
    assert every - kept == {"train/cat/leak.png", "train/dog/again.png"}


# The same bytes whatever happens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("processors", [2, 3])
def test_the_number_of_processes_changes_no_byte(
    tmp_path: Path, many: Path, prepare: Prepare, contents: Contents, monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    (many / "cat" / "05.png").write_bytes(b"")
    for name, usable in (("one", {0}), ("several", set(range(processors)))):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, usable=usable: usable)
        prepare(many, tmp_path / name, size=LARGE, max_skipped=0.1)
    assert contents(tmp_path / "several") == contents(tmp_path / "one")


def test_too_little_disk_space_is_an_error_before_decoding(
    tmp_path: Path, root: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for path in root.rglob("*.png"):
        path.write_bytes(b"")  # decoding would be another error
    with pytest.raises(OSError, match=r"out needs 96 MB of disk, but 1 MB are free"):
        prepare(root, tmp_path / "out", size=[1000, 1000])


class Disk:
    """A disk that is full after so many bytes were written below a folder."""

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.room, self.written = folder, room, 0
        self.open = io.open

    def file(self, path: Path, mode: str) -> io.FileIO:
        disk = self

        class File(io.FileIO):
            def write(self, content: Any) -> int:
                size = memoryview(content).nbytes
                if disk.written + size > disk.room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                disk.written += size
                return super().write(content)

        return File(path, mode)

    def opened(self, path: Any, mode: str = "r", buffering: int = -1, *text: Any) -> Any:
        if "w" not in mode or not str(path).startswith(str(self.folder)):
            return self.open(path, mode, buffering, *text)
        writer = io.BufferedWriter(self.file(path, "w"))
        return writer if "b" in mode else io.TextIOWrapper(writer, *text)

    def temporary(self, dir: Path) -> Any:
        path = dir / "staged"
        file = io.BufferedRandom(self.file(path, "w+"))
        path.unlink()
        return file


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path / "out", 10**9)
    monkeypatch.setattr(io, "open", disk.opened)
    monkeypatch.setattr(tempfile, "TemporaryFile", disk.temporary)
    return disk


@pytest.mark.parametrize("share", [0.0, 0.2, 0.45, 0.6, 0.75, 0.9, 0.999])
def test_full_disk_leaves_nothing_that_looks_complete(
    tmp_path: Path, root: Path, prepare: Prepare, contents: Contents, disk: Disk, share: float
) -> None:
    prepare(root, tmp_path / "out")
    expected, disk.room = contents(tmp_path / "out"), int(share * disk.written)
    disk.written = 0
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(OSError, match=r"No space left on device: '.*/out"):
        prepare(root, tmp_path / "out")
    assert not [name for name in contents(tmp_path / "out") if name.startswith(".") or name == "facts.json"]
    disk.room = 10**9
    prepare(root, tmp_path / "out")
    assert contents(tmp_path / "out") == expected


STALLING = """
import os
import signal
import sys
from pathlib import Path
from cvnlp import files
from cvnlp.params.datasets import OwnPictures
from cvnlp.vision.data import image_set, prepare

def stall(place, name, calls):
    run, left = getattr(place, name), iter(range(calls))
    def stalled(*arguments, **options):
        if next(left, None) is None:
            print("stalled", flush=True)
            sys.stdin.read()
        return run(*arguments, **options)
    setattr(place, name, stalled)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process ignores it
    os.sched_getaffinity = lambda process: {0, 1}
    stall(*{"decoding": (image_set.Staging, "append", 5), "facts": (files, "write_json", 0)}[sys.argv[3]])
    options = OwnPictures(
        domain="vision", path="unused", seed=1, validation=0.25, test=0.25, size=[200, 200], fit="stretch"
    )
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), options)
"""


@pytest.fixture
def start(tmp_path: Path, many: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], list[psutil.Process]]]]:
    """Start a preparation that stalls; returns it with its processes when it does."""
    (tmp_path / "stalling.py").write_text(STALLING)
    started = []

    def begin(where: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
        process = subprocess.Popen(
            [sys.executable, tmp_path / "stalling.py", many, tmp_path / "out", where],
            env=os.environ | {"PYTHONPATH": str(Path(data.__file__).parents[3])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "stalled\n"
        return process, psutil.Process(process.pid).children(recursive=True)

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("where", ["decoding", "facts"])
def test_killed_preparation_leaves_no_process_and_its_repetition_is_identical(
    tmp_path: Path, many: Path, prepare: Prepare, contents: Contents, start: Callable[..., Any], where: str
) -> None:
    process, children = start(where)
    assert len(children) >= (3 if where == "decoding" else 0)
    process.kill()
    process.wait()
    assert psutil.wait_procs(children, timeout=20)[1] == []
    left = contents(tmp_path / "out")
    assert "facts.json" not in left
    assert where == "facts" or left == {}
    shutil.rmtree(tmp_path / "out")  # as the stage begins
    for name in ("out", "whole"):
        prepare(many, tmp_path / name, size=LARGE)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_interrupt_from_the_keyboard_ends_all_processes(
    tmp_path: Path, contents: Contents, start: Callable[..., Any]
) -> None:
    process, children = start("decoding")
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert contents(tmp_path / "out") == {}
