"""Splits: named, given, random or by position; disjoint, and nothing is lost."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cvnlp.data import prepared
from cvnlp.language.data.splits import assign_documents, take_shares
from cvnlp.language.data.texts import Texts

Make = Callable[..., Texts]
PLAYS = {name: name * length for name, length in zip("abcdefghij", (9, 5, 7, 3, 8, 6, 4, 9, 2, 7), strict=True)}
PROSE = "".join(f"Line {number} has its words.\n" for number in range(100))


def split(texts: Texts, *, seed: int = 1, inside_lines: bool = False, **held_out: Any) -> dict[str, list[str]]:
    """The text of every part of every split."""
    chosen = {"validation": None, "test": None} | held_out
    sizes = {name: len(read()) for name, read in texts.documents.items()}
    names = assign_documents(texts, chosen)
    parts = take_shares(names, texts, sizes, chosen, seed=seed, inside_lines=inside_lines)
    return {name: [texts.read(part) for part in parts[name]] for name in prepared.SPLITS}


def joined(found: dict[str, list[str]]) -> str:
    return "".join(piece for name in prepared.SPLITS for piece in found[name])


# Named ----------------------------------------------------------------------------------------------------------------


def test_named_documents_are_held_out_in_the_order_named(made_texts: Make) -> None:
    found = split(made_texts(PLAYS), validation=["c"], test=["j", "a"])
    assert found["validation"] == [PLAYS["c"]]
    assert found["test"] == [PLAYS["j"], PLAYS["a"]]
    assert found["train"] == [PLAYS[name] for name in "bdefghi"]


@pytest.mark.parametrize("key", ["validation", "test"])
def test_unknown_document_is_refused_with_the_choices(made_texts: Make, key: str) -> None:
    with pytest.raises(ValueError, match=f"{key}: 'hamlet' is not a document; valid choices: a, b, c, d"):
        split(made_texts(PLAYS), **{"validation": ["a"], "test": ["b"], key: ["hamlet"]})


def test_error_lists_the_first_of_many_documents(made_texts: Make) -> None:
    many = {f"{number:03}": "text" for number in range(100)}
    with pytest.raises(ValueError, match=r"valid choices: 000, 001, .*, 039, and 60 more$"):
        split(made_texts(many), validation=["hamlet"], test=0.1)


def test_holding_out_every_document_is_refused(made_texts: Make) -> None:
    with pytest.raises(ValueError, match="nothing is left for training"):
        split(made_texts({"a": "x", "b": "y"}), validation=["a"], test=["b"])


# Given ----------------------------------------------------------------------------------------------------------------


def test_given_splits_are_kept(made_texts: Make) -> None:
    given = {"train": ["a", "b"], "validation": ["c"], "test": ["d", "e"]}
    assert split(made_texts(PLAYS, given)) == {name: [PLAYS[one] for one in of] for name, of in given.items()}


def test_one_split_may_be_given_and_the_other_taken_from_training(made_texts: Make) -> None:
    found = split(made_texts(PLAYS, {"train": list("abc"), "test": ["d"]}), validation=["b"])
    assert found == {"train": [PLAYS["a"], PLAYS["c"]], "validation": [PLAYS["b"]], "test": [PLAYS["d"]]}
    found = split(made_texts({"a": PROSE, "d": "x"}, {"train": ["a"], "validation": ["d"]}), test=0.25)
    assert found["validation"] == ["x"]
    assert found["train"] + found["test"] == [PROSE[: len(found["train"][0])], PROSE[len(found["train"][0]) :]]


@pytest.mark.parametrize("key", ["validation", "test"])
@pytest.mark.parametrize("chosen", [0.1, ["a"]])
def test_held_out_split_that_is_also_given_is_refused(made_texts: Make, key: str, chosen: Any) -> None:
    given = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
    with pytest.raises(ValueError, match=f"{key}: .*, but made has its own validation and test; leave"):
        split(made_texts(PLAYS, given), **{key: chosen})


@pytest.mark.parametrize(("key", "other"), [("validation", "test"), ("test", "validation")])
def test_split_that_is_neither_given_nor_held_out_is_refused(made_texts: Make, key: str, other: str) -> None:
    with pytest.raises(ValueError, match=f"{key}: null, but made has no splits of its own; set {key} to a share"):
        split(made_texts(PLAYS), **{other: 0.1})
    with pytest.raises(ValueError, match=f"{key}: null, but made has only {other}; set {key} to a share"):
        split(made_texts(PLAYS, {"train": ["a"], other: ["b"]}))


# Drawn ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.3, 0.2), (0.001, 0.001), (0.49, 0.5)])
def test_random_documents_are_whole_and_in_one_split_each(
    made_texts: Make, validation: float, test: float, seed: int
) -> None:
    found = split(made_texts(PLAYS), validation=validation, test=test, seed=seed)
    assert sorted(text for texts in found.values() for text in texts) == sorted(PLAYS.values())
    assert all(found.values())
    assert all(texts == sorted(texts) for texts in found.values()), "in their original order"


@pytest.mark.parametrize("seed", range(5))
def test_random_splits_are_nearest_to_their_share_of_the_characters(made_texts: Make, seed: int) -> None:
    total = sum(map(len, PLAYS.values()))
    for name, texts in split(made_texts(PLAYS), validation=0.25, test=0.3, seed=seed).items():
        if share := {"validation": 0.25, "test": 0.3}.get(name):
            lengths = [len(text) for text in texts]
            longest = max(map(len, PLAYS.values()))
            assert abs(sum(lengths) - share * total) <= longest / 2 or len(lengths) == 1


def nearest_of_all(sizes: list[int], share: float, most: int) -> float:
    """The smallest distance from the share that a choice of up to `most` documents has, by trying every choice."""
    counts = range(1, most + 1)
    sums = [sum(choice) for count in counts for choice in itertools.combinations(sizes, count)]
    return min(abs(total / sum(sizes) - share) for total in sums)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("sizes", [[90, 36, 25, 14, 85], [1, 2, 3, 500], [7] * 9, [400, 1, 1, 1, 1, 1, 1, 1]])
def test_share_of_a_few_documents_is_a_tenth_off_at_most_or_the_nearest_that_exists(
    made_texts: Make, sizes: list[int], share: float, seed: int
) -> None:
    texts = made_texts({f"{number}": "x" * size for number, size in enumerate(sizes)} | {"v": "y"})
    found = split(texts, validation=["v"], test=share, seed=seed)
    distance = abs(len("".join(found["test"])) / sum(sizes) - share)
    assert distance <= max(0.1 * share, nearest_of_all(sizes, share, len(sizes) - 1)) + 1e-12


def test_share_of_many_documents_is_near_even_if_one_is_huge(made_texts: Make) -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 200).tolist()
    texts = made_texts({f"{number:03}": "x" * size for number, size in enumerate([*lengths, sum(lengths)])})
    for seed in range(5):
        found = split(texts, validation=0.2, test=0.1, seed=seed)
        total = 2 * sum(lengths)
        assert len("".join(found["test"])) == pytest.approx(0.1 * total, rel=0.1)
        assert len("".join(found["validation"])) == pytest.approx(0.2 * total, rel=0.1)


def test_share_that_documents_cannot_give_is_a_warning_with_both_shares(
    made_texts: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = made_texts({"a": "x" * 36, "b": "y" * 34, "c": "z" * 30})
    split(texts, validation=0.34, test=0.1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("warning: test: 0.1 was given, but the split has 0.3: whole documents come no nearer")


def test_cut_that_a_long_line_moves_is_a_warning(made_texts: Make, capsys: pytest.CaptureFixture[str]) -> None:
    text = "short\n" * 40 + "long " * 100 + "\n" + "short\n" * 10
    split(made_texts({"a": text}), validation=0.1, test=0.2)
    assert "warning: test: 0.2 was given, but the split has 0.0749: a text is cut at" in capsys.readouterr().err


@pytest.mark.parametrize("inside_lines", [True, False])
def test_share_that_is_met_is_no_warning(
    made_texts: Make, capsys: pytest.CaptureFixture[str], *, inside_lines: bool
) -> None:
    split(made_texts({"a": PROSE}), inside_lines=inside_lines, validation=0.1, test=0.1)
    split(made_texts({f"{number}": "text" for number in range(20)}), validation=0.1, test=0.1)
    assert capsys.readouterr().err == ""


def test_seed_determines_the_random_splits(made_texts: Make) -> None:
    drawn = [split(made_texts(PLAYS), validation=0.2, test=0.2, seed=seed)["test"] for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert len({tuple(texts) for texts in drawn}) > 1


def test_validation_share_does_not_change_the_test_split(made_texts: Make) -> None:
    first, second = (split(made_texts(PLAYS), validation=share, test=0.2) for share in (0.1, 0.4))
    assert first["test"] == second["test"]


def test_share_is_taken_from_documents_that_are_not_named(made_texts: Make) -> None:
    for seed in range(5):
        found = split(made_texts(PLAYS), validation=["a", "b"], test=0.9, seed=seed)
        assert found["validation"] == [PLAYS["a"], PLAYS["b"]]
        assert len(found["train"]) == 1


def test_one_huge_document_leaves_one_for_training(made_texts: Make) -> None:
    texts = made_texts({"a": "x" * 1000, "b": "y", "c": "z"})
    assert all(all(split(texts, validation=0.4, test=0.5, seed=seed).values()) for seed in range(10))


def test_too_few_documents_for_the_shares_are_refused(made_texts: Make) -> None:
    with pytest.raises(ValueError, match=r"test: 0.1 and validation: 0.2: 2 documents are too few .* one file"):
        split(made_texts({"a": "x", "b": "y"}), validation=0.2, test=0.1)


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (0.9, 0.2)])
def test_shares_that_leave_nothing_for_training_are_refused(made_texts: Make, validation: float, test: float) -> None:
    with pytest.raises(ValueError, match="leave nothing for training: together they must be less than 1"):
        split(made_texts(PLAYS), validation=validation, test=test)


# Cut by position ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [PROSE, PROSE.replace("\n", " "), "x" * 997 + "\n"])
@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.33, 0.25), (0.001, 0.9)])
def test_one_text_is_cut_at_exact_characters_and_nothing_is_lost(
    made_texts: Make, text: str, validation: float, test: float
) -> None:
    found = split(made_texts({"a": text}), inside_lines=True, validation=validation, test=test)
    assert joined(found) == text
    assert len(found["train"][0] + found["validation"][0]) == int(len(text) * (1 - test))
    assert len(found["train"][0]) == int(len(text) * (1 - test - validation))


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.33, 0.25), (0.02, 0.9)])
def test_lines_are_not_cut(made_texts: Make, validation: float, test: float) -> None:
    found = split(made_texts({"a": PROSE}), validation=validation, test=test)
    assert joined(found) == PROSE
    for (text,) in found.values():
        assert text.startswith("Line")
        assert text.endswith(".\n")
    assert len(found["test"][0]) == pytest.approx(len(PROSE) * test, abs=30)
    assert len(found["validation"][0]) == pytest.approx(len(PROSE) * validation, abs=60)


def test_cut_at_the_start_of_a_line_is_not_moved(made_texts: Make) -> None:
    text = "aaaa\n" * 10
    assert [len(found[0]) for found in split(made_texts({"a": text}), validation=0.3, test=0.2).values()] == [
        25,
        15,
        10,
    ]


@pytest.mark.parametrize("end", ["", "\n", "\n\n \n"])
def test_one_long_line_is_cut_between_words(made_texts: Make, end: str) -> None:
    text = "some words " * 100 + "last" + end
    found = split(made_texts({"a": text}), validation=0.1, test=0.1)
    assert joined(found) == text
    assert [found[name][0][-1] for name in ("train", "validation")] == [" ", " "]
    assert joined(found).split() == [word for name in prepared.SPLITS for word in found[name][0].split()]


def test_long_line_does_not_leave_validation_empty(made_texts: Make) -> None:
    text = "short\n" * 10 + "long " * 100 + "\n" + "short\n" * 10
    found = split(made_texts({"a": text}), validation=0.2, test=0.2)
    assert joined(found) == text
    assert all(found[name][0].strip() for name in prepared.SPLITS)


def test_single_document_next_to_named_ones_is_cut(made_texts: Make) -> None:
    found = split(made_texts({"a": PROSE, "b": "held out\n"}), validation=["b"], test=0.1)
    assert found["validation"] == ["held out\n"]
    assert found["train"][0] + found["test"][0] == PROSE
