"""Duplicate examples within and across splits: found by digest, counted, listed and, if the user wishes, dropped.

`digests` are uint64 (N, 2); `parts` are the row indices of each split. Of the copies of one example, a held-out one is
kept, so that no test example is in the training data.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cvnlp.data.prepared import SPLITS

Parts = Mapping[str, np.ndarray]


def digest(content: bytes) -> tuple[int, int]:
    """BLAKE2b digest of 128 bits as two unsigned integers of 64."""
    both = hashlib.blake2b(content, digest_size=16).digest()
    return int.from_bytes(both[:8], "little"), int.from_bytes(both[8:], "little")


def drop(digests: np.ndarray, parts: Parts) -> dict[str, np.ndarray]:
    """Remove duplicates: test keeps all rows, validation those not in test, train the first of those in neither."""
    contents = _number_contents(digests)
    kept, taken = {}, np.zeros(len(contents), dtype=bool)
    for split in reversed([split for split in SPLITS if split in parts]):
        indices = parts[split]
        if split != "test":
            indices = indices[~taken[contents[indices]]]
        if split == "train":
            indices = indices[np.sort(np.unique(contents[indices], return_index=True)[1])]
        kept[split] = indices
        taken[contents[indices]] = True
    return {split: kept[split] for split in parts}


@dataclass(frozen=True)
class Counts:
    """`within`: rows of a split that repeat an earlier one; `across`: "train-test" -> test rows that are in train."""

    within: dict[str, int]
    across: dict[str, int]


def count(digests: np.ndarray, parts: Parts) -> Counts:
    """Count duplicates within each split and across each pair of splits."""
    contents = _number_contents(digests)
    of_split = {split: contents[indices] for split, indices in parts.items()}
    names = [split for split in SPLITS if split in parts]
    return Counts(
        within={split: len(of_split[split]) - len(np.unique(of_split[split])) for split in names},
        across={
            f"{first}-{second}": int(np.isin(of_split[second], of_split[first]).sum())
            for number, first in enumerate(names)
            for second in names[number + 1 :]
        },
    )


def pairs(digests: np.ndarray, parts: Parts) -> Iterator[tuple[str, int, str, int]]:
    """Yield (split, row, split of the copy, row of the copy): every copy with the first example of equal content."""
    contents = _number_contents(digests)
    everywhere = contents[np.concatenate(list(parts.values()))]
    repeated = np.bincount(everywhere, minlength=len(contents)) > 1
    first: dict[int, tuple[str, int]] = {}
    for split in [split for split in SPLITS if split in parts]:
        for index in parts[split][repeated[contents[parts[split]]]].tolist():
            content = int(contents[index])
            if content in first:
                yield (*first[content], split, index)
            else:
                first[content] = (split, index)


def _number_contents(digests: np.ndarray) -> np.ndarray:
    """Number the distinct contents: equal digests get the same number, int (N,)."""
    return np.unique(digests, axis=0, return_inverse=True)[1].reshape(-1)
