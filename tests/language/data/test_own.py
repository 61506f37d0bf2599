"""A user's own texts: found, decoded, and skipped for a stated reason."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.data.own import read_own
from cvnlp.language.data.texts import Texts

Write = Callable[..., Path]
UMLAUTS = "Das schöne Mädchen ißt süßen Käse, während draußen Vögel zwitschern.\n" * 20


def read(path: Path, *, encoding: str | None = None, max_skipped: float = 0.01) -> Texts:
    return read_own(path, encoding=encoding, max_skipped=max_skipped)


def contents(texts: Texts) -> dict[str, str]:
    return {name: text() for name, text in texts.documents.items()}


def test_one_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("To be\n", encoding="utf-8")
    (tmp_path / "other.txt").write_text("not to be\n", encoding="utf-8")
    texts = read(tmp_path / "book.txt")
    assert contents(texts) == {"book.txt": "To be\n"}
    assert texts.given == {"train": ["book.txt"]}
    assert texts.facts == {"encodings": {"utf-8": 1}, "converted_line_ends": 0, "skipped": 0, "read": 1}


def test_folder_is_read_by_name_with_any_suffix_and_depth(tmp_path: Path, write_files: Write) -> None:
    names = ["b.txt", "a/z.md", "a/deep/er/no suffix", "Ünïcödé 日本.text", "a.b/c.tar"]
    hidden = [".git/config", "a/.DS_Store", "Thumbs.db"]
    texts = read(write_files(tmp_path, {name: f"in {name}\n" for name in names + hidden}))
    assert contents(texts) == {name: f"in {name}\n" for name in names}
    assert list(texts.documents) == ["a/deep/er/no suffix", "a/z.md", "a.b/c.tar", "b.txt", "Ünïcödé 日本.text"]
    assert texts.given == {"train": list(texts.documents)}


@pytest.mark.parametrize(
    ("names", "given"),
    [
        (["train.txt", "valid.txt", "test.txt"], {"train": [0], "validation": [1], "test": [2]}),
        (["Train/a", "Train/b/c", "DEV/a", "testing/a"], {"train": [0, 1], "validation": [2], "test": [3]}),
        (["training.md", "val/a"], {"train": [0], "validation": [1]}),
        (["train", "test"], {"train": [0], "test": [1]}),
        (["train/a", "train.txt", "validation.tokens"], {"train": [0, 1], "validation": [2]}),
    ],
)
def test_files_and_folders_named_after_splits_are_splits(
    tmp_path: Path, write_files: Write, names: list[str], given: dict[str, list[int]]
) -> None:
    texts = read(write_files(tmp_path, dict.fromkeys(names, "text\n")))
    assert {split: sorted(of) for split, of in texts.given.items()} == {
        split: sorted(names[number] for number in of) for split, of in given.items()
    }


@pytest.mark.parametrize(
    "names", [["train.txt", "notes.txt"], ["valid.txt", "test.txt"], ["a/train.txt", "a/test.txt"]]
)
def test_with_any_other_name_all_files_are_documents(tmp_path: Path, write_files: Write, names: list[str]) -> None:
    texts = read(write_files(tmp_path, dict.fromkeys(names, "text\n")))
    assert {split: sorted(of) for split, of in texts.given.items()} == {"train": sorted(names)}


def test_encoding_is_detected_per_file_and_counted(tmp_path: Path, write_files: Write) -> None:
    written = {"a": "utf-8", "b": "utf-8-sig", "c": "utf-16", "d": "cp1252", "e": "utf-8"}
    texts = read(write_files(tmp_path, {name: UMLAUTS.encode(encoding) for name, encoding in written.items()}))
    assert contents(texts) == dict.fromkeys(written, UMLAUTS)
    encodings = texts.facts["encodings"]
    assert sum(encodings.values()) == 5
    assert encodings.items() > {"utf-8": 2, "utf-8-sig": 1, "utf-16": 1}.items()


def test_converted_line_ends_are_counted_by_files(tmp_path: Path, write_files: Write) -> None:
    texts = read(write_files(tmp_path, {"a": "x\r\ny\r\n", "b": "x\ry\r", "c": "x\ny\n"}))
    assert contents(texts) == dict.fromkeys("abc", "x\ny\n")
    assert texts.facts["converted_line_ends"] == 2


def test_given_encoding_applies_to_all_files_and_an_error_states_the_byte(tmp_path: Path, write_files: Write) -> None:
    write_files(tmp_path, {"a": "ä\n".encode("shift_jis", "replace"), "b": "日本語\n".encode("shift_jis")})
    assert contents(read(tmp_path, encoding="shift_jis"))["b"] == "日本語\n"
    with pytest.raises(ValueError, match=r"b: is not utf-8: invalid start byte at byte 0 \(line 1\)"):
        read(tmp_path, encoding="utf-8")


def test_unreadable_files_are_skipped_up_to_the_share(tmp_path: Path, write_files: Write) -> None:
    bad = {"empty": "", "blank": " \n", "nul": b"a\0b"}
    write_files(tmp_path, {f"good {number}": "text\n" for number in range(7)} | bad)
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"5 of 12 files .* cannot be used, .*blank: contains only.*max_skipped"):
        read(tmp_path, max_skipped=0.4)
    texts = read(tmp_path, max_skipped=0.42)
    assert (texts.facts["read"], texts.facts["skipped"]) == (7, 5)
    assert texts.skipped is not None
    texts.skipped.save(tmp_path / "skipped.csv")
    with (tmp_path / "skipped.csv").open(encoding="utf-8", newline="") as file:
        rows = dict(csv.reader(file))
    assert list(rows) == ["file", "blank", "empty", "link", "nul", "pipe"]
    assert rows["link"] == "cannot be read: No such file or directory"
    assert rows["pipe"] == "is not a regular file"


def test_single_unreadable_file_is_an_error_with_its_reason(tmp_path: Path, write_files: Write) -> None:
    write_files(tmp_path, {"picture.png": b"\x89PNG\r\n\x1a\n\0\0"})
    with pytest.raises(ValueError, match=r"1 of 1 files .*picture\.png: contains NUL characters"):
        read(tmp_path / "picture.png")


def test_file_without_permission_is_skipped(
    tmp_path: Path, write_files: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {"a": "text\n", "b": "text\n"})
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "b":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert list(read(tmp_path, max_skipped=0.5).documents) == ["a"]
    with pytest.raises(ValueError, match="b: cannot be read: Permission denied"):
        read(tmp_path)


def test_file_changed_during_preparation_is_named(tmp_path: Path, write_files: Write) -> None:
    texts = read(write_files(tmp_path, {"a": "text\n"}))
    write_files(tmp_path, {"a": b"\0"})
    with pytest.raises(ValueError, match=r"a was changed during preparation: now it contains NUL"):
        texts.documents["a"]()


def test_names_that_are_not_unicode_are_read_and_escaped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_text("text\n", encoding="utf-8")
    assert list(contents(read(tmp_path)).values()) == ["text\n"]
    (tmp_path / os.fsdecode(b"bad\xe9")).write_bytes(b"\0")
    with pytest.raises(ValueError, match=r"bad\\xe9: contains NUL"):
        read(tmp_path)


def test_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"path: .*absent does not exist; give a text file or a folder"):
        read(tmp_path / "absent")


def test_path_that_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is neither a file nor a folder"):
        read(tmp_path / "pipe")


def test_folder_without_files_is_refused(tmp_path: Path, write_files: Write) -> None:
    (tmp_path / "empty").mkdir()
    write_files(tmp_path, {".hidden": "text"})
    with pytest.raises(ValueError, match="has no files"):
        read(tmp_path)


def test_link_to_a_folder_is_refused(tmp_path: Path, write_files: Write) -> None:
    write_files(tmp_path, {"a/b": "text\n"})
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ValueError, match="loop is a link to a folder"):
        read(tmp_path)


# Prepared -------------------------------------------------------------------------------------------------------------


def test_own_text_is_prepared_with_its_facts(
    tmp_path: Path, write_files: Write, prepare_own: Callable[..., LanguageFacts]
) -> None:
    root = write_files(
        tmp_path / "mine", {f"{number}.txt": f"text {number}\r\n" for number in range(200)} | {"bad": ""}
    )
    facts = prepare_own(tmp_path / "made", root, validation=0.1, test=0.1)
    assert (facts.source, facts.licence, facts.citation) == ("own files", "the user's own", "")
    assert (facts.read, facts.skipped, facts.converted_line_ends) == (200, 1, 200)
    assert facts.encodings == {"utf-8": 200}
    assert sum(facts.documents.values()) == 200
    assert (tmp_path / "made" / "skipped.csv").read_text(encoding="utf-8") == "file,reason\nbad,is empty\n"
    assert prepared.read_facts(tmp_path / "made") == facts


def test_documents_of_every_split_are_listed(
    tmp_path: Path, write_files: Write, prepare_own: Callable[..., LanguageFacts]
) -> None:
    root = write_files(tmp_path / "mine", {"ä, b": "0123456789" * 2, "c": "text\n"})
    prepare_own(tmp_path / "made", root, validation=["c"], test=0.25)
    with (tmp_path / "made" / "documents.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["split", "document", "start", "end"],
            ["train", "ä, b", "0", "15"],
            ["validation", "c", "0", "5"],
            ["test", "ä, b", "15", "20"],
        ]


def test_prepared_text_does_not_depend_on_the_encoding(
    tmp_path: Path, write_files: Write, prepare_own: Callable[..., LanguageFacts]
) -> None:
    for encoding in ("utf-8", "utf-16", "cp1252"):
        root = write_files(tmp_path / encoding, {"text": UMLAUTS.replace("\n", "\r\n").encode(encoding)})
        prepare_own(tmp_path / f"made {encoding}", root, validation=0.1, test=0.1)
    for name in ("train.npy", "validation.npy", "test.npy", "vocabulary.json"):
        assert (
            len({(tmp_path / f"made {encoding}" / name).read_bytes() for encoding in ("utf-8", "utf-16", "cp1252")})
            == 1
        )


def test_split_whose_files_were_all_skipped_is_refused(
    tmp_path: Path, write_files: Write, prepare_own: Callable[..., LanguageFacts]
) -> None:
    root = write_files(tmp_path / "mine", {"train.txt": "a\n", "valid.txt": "b\n", "test.txt": ""})
    with pytest.raises(ValueError, match="test: its text of 0 characters has no tokens"):
        prepare_own(tmp_path / "made", root, max_skipped=0.5)
