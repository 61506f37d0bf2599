"""Duplicate documents, kept or dropped, and lines that training and held-out splits share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.data.duplicates import line_digests, repeated_lines

Prepare = Callable[..., LanguageFacts]
LONG = "A line of forty characters and no fewer!"  # 40


def text_of(folder: Path, split: str) -> str:
    vocabulary = files.read_json(folder / "vocabulary.json")
    return "".join(vocabulary[number] for number in prepared.load_array(folder, split))


@pytest.fixture
def twins(tmp_path: Path, write_files: Callable[..., Path]) -> Path:
    """Documents that occur two and three times, once with other line ends and once in another encoding."""
    contents = {"1 a": "same\n", "2 b": b"same\r\n", "3 c": "other ä\n", "4 d": "third\n", "5 e": "last\n"}
    return write_files(tmp_path / "mine", contents | {"6 f": "\ufeffother ä\n".encode("utf-16-le"), "7 g": "same\n"})


def test_duplicates_are_kept_counted_and_listed(tmp_path: Path, twins: Path, prepare_own: Prepare) -> None:
    facts = prepare_own(tmp_path / "made", twins, validation=["3 c"], test=["7 g", "5 e"])
    assert facts.duplicates.model_dump() == {
        "within": {"train": 1, "validation": 0, "test": 0},
        "across": {"train-validation": 1, "train-test": 1, "validation-test": 0},
        "dropped": {"train": 0, "validation": 0, "test": 0},
    }
    assert (tmp_path / "made" / "duplicates.csv").read_text(encoding="utf-8").splitlines() == [
        "split,document,copy_split,copy",
        "train,1 a,train,2 b",
        "train,6 f,validation,3 c",
        "train,1 a,test,7 g",
    ]


def test_duplicates_of_held_out_documents_are_dropped_from_training(
    tmp_path: Path, twins: Path, prepare_own: Prepare
) -> None:
    facts = prepare_own(tmp_path / "made", twins, validation=["3 c"], test=["7 g", "5 e"], duplicates="drop")
    assert facts.duplicates.dropped == {"train": 3, "validation": 0, "test": 0}
    assert not any(facts.duplicates.within.values())
    assert not any(facts.duplicates.across.values())
    assert text_of(tmp_path / "made", "train") == "third\n"
    assert facts.counts["test"] == len("same\n\nlast\n")
    assert len((tmp_path / "made" / "duplicates.csv").read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize("seed", range(4))
def test_splits_drawn_after_dropping_share_no_document(
    tmp_path: Path, twins: Path, prepare_own: Prepare, seed: int
) -> None:
    facts = prepare_own(tmp_path / "made", twins, validation=0.2, test=0.2, duplicates="drop", seed=seed)
    assert facts.duplicates.dropped["train"] == 3
    assert not any(facts.duplicates.across.values())
    assert sum(facts.documents.values()) == 4


def test_given_test_documents_are_kept_even_if_they_are_duplicates(
    tmp_path: Path, write_files: Callable[..., Path], prepare_own: Prepare
) -> None:
    contents = {"train/a": "one\n", "train/b": "two\n", "valid/a": "two\n", "valid/b": "three\n"}
    root = write_files(tmp_path / "mine", contents | {"test/a": "three\n", "test/b": "three\n"})
    facts = prepare_own(tmp_path / "made", root, duplicates="drop", tokens="whitespace", max_skipped=0.0)
    assert facts.documents == {"train": 1, "validation": 1, "test": 2}
    assert facts.duplicates.dropped == {"train": 1, "validation": 1, "test": 0}
    assert facts.duplicates.within["test"] == 1


def test_dropping_every_training_document_is_refused(tmp_path: Path, prepare: Prepare) -> None:
    given = {"train": ["a"], "validation": ["b"], "test": ["c"]}
    with pytest.raises(ValueError, match="nothing is left for training"):
        prepare(tmp_path, {"a": "same\n", "b": "same\n", "c": "other\n"}, given, duplicates="drop")


def test_parts_of_one_text_are_no_duplicates(tmp_path: Path, twins: Path, prepare_own: Prepare) -> None:
    (twins / "8 long").write_text("some line\n" * 50, encoding="utf-8")
    facts = prepare_own(tmp_path / "made", twins / "8 long", validation=0.1, test=0.1)
    assert not any(facts.duplicates.across.values())
    assert (tmp_path / "made" / "duplicates.csv").read_text(encoding="utf-8") == "split,document,copy_split,copy\n"


# Lines ----------------------------------------------------------------------------------------------------------------


def test_repeated_lines_are_a_share_of_the_long_lines(tmp_path: Path, prepare: Prepare) -> None:
    assert len(LONG) == 40
    documents = {
        "a": f"{LONG}\nshort\n{LONG} And more.\nThe third line of them, which is long enough too\n",
        "b": f"short\n{LONG}\n{LONG}x\n",
        "c": f"short\n{LONG[1:]}\n",
    }
    facts = prepare(tmp_path, documents, validation=["b"], test=["c"])
    assert facts.repeated_lines == {"validation": 0.5, "test": 0.0}
    assert facts.counts["validation"] == len(documents["b"]), "none is removed"


def test_repeated_lines_equal_those_found_with_a_set() -> None:
    generator = np.random.default_rng(0)
    lines = {name: [str(number) * 20 for number in generator.integers(0, 300, 400)] for name in prepared.SPLITS}
    found = repeated_lines({name: line_digests(of) for name, of in lines.items()})
    for name in ("validation", "test"):
        long = [line for line in lines[name] if len(line) >= 40]
        assert found[name] == sum(line in set(lines["train"]) for line in long) / len(long)
