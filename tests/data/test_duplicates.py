"""Duplicates are counted and listed within and across splits, and dropped where they would leak."""

from itertools import combinations

import numpy as np
import pytest

from cvnlp.data import duplicates
from cvnlp.data.prepared import SPLITS

#           index: 0    1    2    3    4    5    6    7    8
CONTENTS = list("a    b    a    c    d    b    d    d    e".replace(" ", ""))
PARTS = {"train": np.array([0, 1, 2, 3]), "validation": np.array([4, 5]), "test": np.array([6, 7, 8])}


def digests(contents: list[str]) -> np.ndarray:
    return np.array([duplicates.digest(content.encode()) for content in contents], dtype=np.uint64)


def plain(parts: dict[str, np.ndarray]) -> dict[str, list[int]]:
    return {split: indices.tolist() for split, indices in parts.items()}


def test_digest_is_blake2b_in_two_halves() -> None:
    import hashlib

    first, second = duplicates.digest(b"picture")
    whole = first.to_bytes(8, "little") + second.to_bytes(8, "little")
    assert whole == hashlib.blake2b(b"picture", digest_size=16).digest()


def test_copies_are_counted_within_and_across() -> None:
    counts = duplicates.count(digests(CONTENTS), PARTS)
    assert counts.within == {"train": 1, "validation": 0, "test": 1}
    assert counts.across == {"train-validation": 1, "train-test": 0, "validation-test": 2}


def test_every_copy_is_listed_with_the_first_of_equal_content() -> None:
    assert list(duplicates.pairs(digests(CONTENTS), PARTS)) == [
        ("train", 0, "train", 2),
        ("train", 1, "validation", 5),
        ("validation", 4, "test", 6),
        ("validation", 4, "test", 7),
    ]


def test_dropping_keeps_held_out_examples_and_removes_them_from_training() -> None:
    assert plain(duplicates.drop(digests(CONTENTS), PARTS)) == {"train": [0, 3], "validation": [5], "test": [6, 7, 8]}


def test_distinct_contents_are_all_kept() -> None:
    different = digests(list("abcdefghi"))
    assert plain(duplicates.drop(different, PARTS)) == plain(PARTS)
    assert list(duplicates.pairs(different, PARTS)) == []


def test_unsplit_data_keep_the_first_of_each_content() -> None:
    assert plain(duplicates.drop(digests(CONTENTS), {"train": np.arange(9)})) == {"train": [0, 1, 3, 4, 8]}


def test_split_may_be_empty() -> None:
    parts = {"train": np.arange(9), "test": np.array([], dtype=int)}
    assert duplicates.count(digests(CONTENTS), parts).across == {"train-test": 0}
    assert duplicates.drop(digests(CONTENTS), parts)["test"].size == 0


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_plain_python_on_random_contents(seed: int) -> None:
    """Dropped examples are kept elsewhere, kept ones are in one split only, test is complete."""
    generator = np.random.default_rng(seed)
    contents = [str(number) for number in generator.integers(0, 30, 60)]
    order = generator.permutation(60)
    parts = {"train": np.sort(order[:40]), "validation": np.sort(order[40:50]), "test": np.sort(order[50:])}
    found = duplicates.count(digests(contents), parts)
    sets = {split: [contents[index] for index in parts[split]] for split in SPLITS}
    assert found.within == {split: len(sets[split]) - len(set(sets[split])) for split in SPLITS}
    for first, second in combinations(SPLITS, 2):
        assert found.across[f"{first}-{second}"] == sum(content in sets[first] for content in sets[second])
    kept = {split: [contents[i] for i in part] for split, part in duplicates.drop(digests(contents), parts).items()}
    assert kept["test"] == sets["test"]
    assert not set(kept["train"]) & {*kept["validation"], *kept["test"]}
    assert not set(kept["validation"]) & set(kept["test"])
    assert len(kept["train"]) == len(set(kept["train"]))
    assert {*kept["train"], *kept["validation"], *kept["test"]} == set(contents)
    assert len(list(duplicates.pairs(digests(contents), parts))) == 60 - len(set(contents))
