"""Preparation: arrays hold the text, the vocabulary is of the training text only, and files are complete or absent."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.data.tokens import TOKENISERS

Prepare = Callable[..., LanguageFacts]
PLAYS = {
    "first": "KING:\nA cat, a dog.\n\nQUEEN:\nA cat!\n",
    "second": "KING:\nThe cat.\n",
    "third": "KING:\nAn emu? Why!\n",  # holds 'm', 'W', 'y' and '?', and words, of no other play
    "fourth": "QUEEN:\nA dog; zebra.\n",
}
NAMED: dict[str, Any] = {"validation": ["third"], "test": ["fourth"]}
MEMBERS = {"train": ["first", "second"], "validation": ["third"], "test": ["fourth"]}
KINDS = sorted(TOKENISERS)


def vocabulary(folder: Path) -> list[str]:
    found: list[str] = files.read_json(folder / "vocabulary.json")
    return found


def tokens_of(kind: str, split: str, plays: dict[str, str] = PLAYS) -> list[str]:
    """The tokens of a split: characters with a line end between documents."""
    return list(
        TOKENISERS[kind].split(("\n" if kind == "characters" else "").join(plays[name] for name in MEMBERS[split]))
    )


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


# Arrays ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", MEMBERS)
@pytest.mark.parametrize("kind", KINDS)
def test_ids_convert_back_to_the_tokens(tmp_path: Path, prepare: Prepare, kind: str, split: str) -> None:
    prepare(tmp_path, PLAYS, tokens=kind, **NAMED)
    known = vocabulary(tmp_path)
    found = [known[number] for number in prepared.load_array(tmp_path, split)]
    assert found == [token if token in known else "<unk>" for token in tokens_of(kind, split)]


def test_documents_of_characters_are_separated_by_a_line_end(tmp_path: Path, prepare: Prepare) -> None:
    facts = prepare(tmp_path, PLAYS, **NAMED)
    known = vocabulary(tmp_path)
    text = "".join(known[index] for index in prepared.load_array(tmp_path, "train"))
    assert text == f"{PLAYS['first']}\n{PLAYS['second']}"
    assert facts.counts["train"] == facts.characters["train"] == len(text)


@pytest.mark.parametrize("kind", ["words", "whitespace"])
def test_document_without_final_line_end_does_not_run_into_the_next(
    tmp_path: Path, prepare: Prepare, kind: str
) -> None:
    prepare(tmp_path, PLAYS | {"first": "no end"}, tokens=kind, **NAMED)
    known = vocabulary(tmp_path)
    assert [known[number] for number in prepared.load_array(tmp_path, "train")][:3] == ["no", "end", "<eos>"]


@pytest.mark.parametrize(
    ("words", "kind"), [(10, np.uint16), (2**16 - 3, np.uint16), (2**16 - 2, np.uint16), (2**16 - 1, np.uint32)]
)
@pytest.mark.parametrize("tokens", ["words", "whitespace"])
def test_type_of_the_ids_fits_the_vocabulary(
    tmp_path: Path, prepare: Prepare, words: int, kind: type, tokens: str
) -> None:
    """`words`, with <unk> and <eos>, must fit into the type."""
    plays = PLAYS | {"first": " ".join(f"w{number}" for number in range(words)), "second": " "}
    facts = prepare(tmp_path, plays, tokens=tokens, **NAMED)
    assert facts.vocabulary_size == words + 2
    train = prepared.load_array(tmp_path, "train")
    assert train.dtype == kind
    assert train.max() == words + 1


@pytest.mark.parametrize("kind", KINDS)
def test_lowercase_applies_to_the_whole_text(tmp_path: Path, prepare: Prepare, kind: str) -> None:
    lower = {name: text.lower() for name, text in PLAYS.items()}
    facts = prepare(tmp_path / "by option", PLAYS, tokens=kind, lowercase=True, **NAMED)
    assert facts.lowercase is True
    assert prepare(tmp_path / "before", lower, tokens=kind, **NAMED) == facts.model_copy(update={"lowercase": False})
    for split in prepared.SPLITS:
        arrays = [prepared.load_array(tmp_path / name, split) for name in ("by option", "before")]
        np.testing.assert_array_equal(*arrays)
    assert "KING" in PLAYS["first"]
    assert not any(token.isupper() for token in vocabulary(tmp_path / "by option"))


# Vocabulary -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_vocabulary_has_exactly_the_tokens_of_the_training_text(tmp_path: Path, prepare: Prepare, kind: str) -> None:
    prepare(tmp_path, PLAYS, tokens=kind, **NAMED)
    assert set(vocabulary(tmp_path)) == {"<unk>", *tokens_of(kind, "train")}


@pytest.mark.parametrize("outsider", ["m", "W", "?", "z"])
def test_character_of_held_out_text_only_is_unknown(tmp_path: Path, prepare: Prepare, outsider: str) -> None:
    prepare(tmp_path, PLAYS, **NAMED)
    assert outsider in PLAYS["third"] + PLAYS["fourth"]
    assert outsider not in vocabulary(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_training_arrays_do_not_depend_on_held_out_text(tmp_path: Path, prepare: Prepare, kind: str) -> None:
    prepare(tmp_path / "first", PLAYS, tokens=kind, **NAMED)
    prepare(tmp_path / "second", PLAYS | {"third": "Quite other.\n", "fourth": "0123\n"}, tokens=kind, **NAMED)
    for name in ("train.npy", "vocabulary.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("options", [{}, {"vocabulary_size": 3}, {"vocabulary_size": 6}, {"minimum_count": 2}])
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_outside_the_vocabulary_are_unknown_and_counted(
    tmp_path: Path, prepare: Prepare, kind: str, options: dict[str, int]
) -> None:
    facts = prepare(tmp_path, PLAYS, tokens=kind, **NAMED, **options)
    known = set(vocabulary(tmp_path))
    assert facts.vocabulary_size == len(known) == options.get("vocabulary_size", len(known))
    for split in MEMBERS:
        unknown = [token not in known for token in tokens_of(kind, split)]
        assert (prepared.load_array(tmp_path, split) == 0).tolist() == unknown
        assert facts.unknown[split] == sum(unknown)
        assert facts.coverage[split] == pytest.approx(1 - sum(unknown) / len(unknown))
        assert facts.out_of_vocabulary[split] == pytest.approx(sum(unknown) / len(unknown))


def test_literal_unknown_words_are_neither_covered_nor_out_of_vocabulary(tmp_path: Path, prepare: Prepare) -> None:
    plays = {"first": "a b <unk> b\n", "second": "<unk> b\n", "third": "a <unk> c\n", "fourth": "<unk>\n"}
    facts = prepare(tmp_path, plays, tokens="whitespace", **NAMED)
    assert vocabulary(tmp_path) == ["<unk>", "<eos>", "b", "a"]
    assert prepared.load_array(tmp_path, "validation").tolist() == [3, 0, 0, 1]
    assert facts.unknown == {"train": 2, "validation": 2, "test": 1}
    assert facts.coverage == {"train": 0.75, "validation": 0.5, "test": 0.5}
    assert facts.out_of_vocabulary == {"train": 0.0, "validation": 0.25, "test": 0.0}
    assert facts.types == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [None, 3, 5])
def test_text_of_one_long_line_has_a_start_token(tmp_path: Path, prepare: Prepare, kind: str, size: int | None) -> None:
    """A text starts after a line end, which is in the vocabulary even if the text has none."""
    facts = prepare(
        tmp_path, {"one": "to be or not to be " * 50}, tokens=kind, vocabulary_size=size, validation=0.1, test=0.1
    )
    assert vocabulary(tmp_path)[facts.start] == ("\n" if kind == "characters" else "<eos>")
    assert facts.vocabulary_size == len(vocabulary(tmp_path)) == size or size is None


# Facts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_facts_equal_those_of_a_counter(tmp_path: Path, prepare: Prepare, kind: str) -> None:
    facts = prepare(tmp_path, PLAYS, tokens=kind, **NAMED)
    counts = Counter(tokens_of(kind, "train"))
    assert facts.types == len(counts)
    assert {token: counts[token] for token, _ in facts.frequent} == dict(facts.frequent)
    assert [count for _, count in facts.frequent] == sorted(counts.values(), reverse=True)[:20]
    assert facts.counts == {split: len(tokens_of(kind, split)) for split in MEMBERS}
    assert facts.tokens == kind
    assert facts.token_kind == ("characters" if kind == "characters" else "words")
    assert facts.documents == {"train": 2, "validation": 1, "test": 1}


def test_lines_and_characters_are_counted_by_split(tmp_path: Path, prepare: Prepare) -> None:
    facts = prepare(tmp_path, PLAYS | {"fourth": "\n\nZebra, no end"}, tokens="words", **NAMED)
    assert facts.lines == {"train": 7, "validation": 2, "test": 3}
    assert facts.longest_line == {"train": 13, "validation": 12, "test": 13}
    assert facts.characters["validation"] == len(PLAYS["third"])
    assert facts.characters["train"] == len(PLAYS["first"]) + len(PLAYS["second"]) + 1


def test_returned_facts_are_those_on_disk(tmp_path: Path, prepare: Prepare) -> None:
    returned = prepare(tmp_path, PLAYS, **NAMED)
    assert prepared.read_facts(tmp_path) == returned
    assert set(returned.arrays) == set(prepared.SPLITS)
    assert returned.domain == "language"
    assert returned.licence
    assert returned.citation


@pytest.mark.parametrize("kind", KINDS)
def test_preparation_is_deterministic(tmp_path: Path, prepare: Prepare, kind: str) -> None:
    for name in ("first", "second"):
        prepare(tmp_path / name, PLAYS, tokens=kind, vocabulary_size=7, validation=0.2, test=0.2)
    first = bytes_of(tmp_path / "first")
    assert first == bytes_of(tmp_path / "second")
    assert set(first) == {"facts.json", "vocabulary.json", *(f"{split}.npy" for split in prepared.SPLITS)}


# Failures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", MEMBERS)
def test_split_without_tokens_is_refused(tmp_path: Path, prepare: Prepare, split: str) -> None:
    plays = PLAYS | dict.fromkeys(MEMBERS[split], "\n \n")
    with pytest.raises(ValueError, match=f"{split}: its text of .* characters has no tokens"):
        prepare(tmp_path, plays, tokens="words", **NAMED)
    assert not (tmp_path / f"{split}.npy").exists()
    assert not (tmp_path / "facts.json").exists()


def test_text_too_short_for_its_shares_is_refused(tmp_path: Path, prepare: Prepare) -> None:
    with pytest.raises(ValueError, match="validation: its text of 0 characters has no tokens"):
        prepare(tmp_path, {"one": "word"}, tokens="words", validation=0.1, test=0.1)


@pytest.mark.parametrize("limit", [100, 1000, 2500])
def test_failed_write_leaves_no_file_that_looks_complete(tmp_path: Path, prepare: Prepare, limit: int) -> None:
    """The operating system limits the size of files."""
    plays = PLAYS | {"first": "abcdefgh\n" * 120, "third": "ABC" * 1200}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            prepare(tmp_path / "made", plays, **NAMED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    left = {path.name for path in (tmp_path / "made").iterdir()}
    assert left == ({"train.npy"} if limit == 2500 else set())
    with pytest.raises(ValueError, match=r"facts\.json is missing"):
        prepared.read_facts(tmp_path / "made")


@pytest.mark.parametrize("name", ["vocabulary.json", "facts.json"])
def test_full_disk_at_the_end_leaves_no_facts(
    tmp_path: Path, prepare: Prepare, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text = files.write_text

    def fill(path: Path, text: str) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_text(path, text)

    monkeypatch.setattr(files, "write_text", fill)
    with pytest.raises(OSError, match="No space left"):
        prepare(tmp_path, PLAYS, **NAMED)
    with pytest.raises(ValueError, match=r"facts\.json is missing"):
        prepared.read_facts(tmp_path)


KILLED = """
import contextlib, os, signal, sys
from pathlib import Path
from cvnlp.data import prepared
from cvnlp.language import data
from cvnlp.params.datasets import OwnTexts

open_array_writer = prepared.open_array_writer

@contextlib.contextmanager
def dying(folder, name, dtype, shape):
    with open_array_writer(folder, name, dtype, shape) as append:
        yield lambda rows: (append(rows), name == sys.argv[3] and os.kill(os.getpid(), signal.SIGKILL))

if sys.argv[3] != "nothing":
    prepared.open_array_writer = dying
options = OwnTexts(domain="language", path=sys.argv[1], seed=1, tokens="words", validation=0.1, test=0.1)
data.prepare(Path(sys.argv[1]), Path(sys.argv[2]), options)
"""


def test_killed_preparation_is_incomplete_and_the_next_one_equals_an_undisturbed_one(
    tmp_path: Path, write_files: Callable[..., Path]
) -> None:
    root = write_files(tmp_path / "mine", {f"{number}.txt": f"text number {number}\n" for number in range(20)})

    def run(folder: str, dies_at: str) -> int:
        command = [sys.executable, "-c", KILLED, str(root), str(tmp_path / folder), dies_at]
        source = str(Path(files.__file__).parents[1])
        return subprocess.run(command, env=os.environ | {"PYTHONPATH": source}, check=False).returncode

    assert run("undisturbed", "nothing") == 0
    assert run("killed", "validation") == -signal.SIGKILL
    with pytest.raises(ValueError, match=r"facts\.json is missing"):
        prepared.read_facts(tmp_path / "killed")
    assert (tmp_path / "killed" / "train.npy").is_file()
    assert not (tmp_path / "killed" / "validation.npy").exists()
    shutil.rmtree(tmp_path / "killed")  # as the stage does first
    assert run("killed", "nothing") == 0
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "undisturbed")


# Memory ---------------------------------------------------------------------------------------------------------------


def peak(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_long_line_is_in_memory_a_few_times_at_most(
    tmp_path: Path, write_files: Callable[..., Path], prepare_own: Prepare, kind: str
) -> None:
    line = "lorem ipsum dolor sit amet consectetur adipiscing " * 50_000
    root = write_files(tmp_path / "mine", {"line.txt": line})
    options = {"tokens": kind, "validation": 0.1, "test": 0.1}
    assert peak(lambda: prepare_own(tmp_path / "made", root, **options)) < 3 * len(line) + 15_000_000
    assert sum(prepared.read_facts(tmp_path / "made", LanguageFacts).characters.values()) == len(line)


def test_memory_does_not_grow_with_the_number_of_documents(
    tmp_path: Path, write_files: Callable[..., Path], prepare_own: Prepare
) -> None:
    peaks = []
    for count in (4, 32):
        root = write_files(tmp_path / str(count), {f"{number}": f"{number} dolor\n" * 4_000 for number in range(count)})
        options = {"tokens": "whitespace", "validation": ["0"], "test": ["1"]}
        peaks.append(
            peak(lambda root=root, options=options: prepare_own(tmp_path / f"made {root.name}", root, **options))
        )
    assert peaks[1] < 1.2 * peaks[0]
