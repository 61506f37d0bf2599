"""Equal contents within and across splits: found by digest, counted, listed, and by choice dropped.

`digests` are uint64 (N, 2), `parts` the indices of each split. A content that is held out has no place in training:
where copies are dropped, a held-out one stays and the others go.
"""

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np

from cvnlp.data.prepared import SPLITS

Parts = Mapping[str, np.ndarray]


def digest(content: bytes) -> tuple[int, int]:
    """128 bits of BLAKE2b."""
    both = hashlib.blake2b(content, digest_size=16).digest()
    return int.from_bytes(both[:8], "little"), int.from_bytes(both[8:], "little")


def drop(digests: np.ndarray, parts: Parts) -> dict[str, np.ndarray]:
    """Train keeps the first of each content that is held out nowhere, validation what is not in test; test stays."""
    contents = _contents(digests)
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


def count(digests: np.ndarray, parts: Parts) -> dict[str, dict[str, int]]:
    """`within`: how many of a split repeat an earlier one; `across`: how many of the later split the earlier has."""
    contents = _contents(digests)
    of_split = {split: contents[indices] for split, indices in parts.items()}
    names = [split for split in SPLITS if split in parts]
    return {
        "within": {split: len(of_split[split]) - len(np.unique(of_split[split])) for split in names},
        "across": {
            f"{first}-{second}": int(np.isin(of_split[second], of_split[first]).sum())
            for number, first in enumerate(names)
            for second in names[number + 1 :]
        },
    }


def pairs(digests: np.ndarray, parts: Parts) -> Iterator[tuple[str, int, str, int]]:
    """(split, index, split of the copy, index of the copy): every copy beside the first of its content."""
    contents = _contents(digests)
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


def _contents(digests: np.ndarray) -> np.ndarray:
    """A number for each content, the same for equal ones (N,)."""
    return np.unique(digests, axis=0, return_inverse=True)[1].reshape(-1)
