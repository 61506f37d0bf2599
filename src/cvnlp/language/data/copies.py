"""Documents that are equal, and lines of the held-out text that training text holds too."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.data import duplicates, prepared
from cvnlp.data.user_files import printable
from cvnlp.language.data.splits import Names, Splits

LONG = 40  # characters that a line needs to count: shorter ones are alike by chance


class Copies:
    """`digests` are those of the documents, in the order of `names`."""

    def __init__(self, names: Iterable[str], digests: np.ndarray) -> None:
        self.names, self.digests = list(names), digests
        self.numbers = {name: number for number, name in enumerate(self.names)}

    def without(self, names: Names) -> Names:
        kept = duplicates.drop(self.digests, self._parts(names))
        return {split: [self.names[number] for number in numbers.tolist()] for split, numbers in kept.items()}

    def count(self, names: Names) -> duplicates.Counts:
        return duplicates.count(self.digests, self._parts(names))

    def save(self, path: Path, names: Names) -> None:
        rows = (
            (split, printable(self.names[number]), copy_split, printable(self.names[copy]))
            for split, number, copy_split, copy in duplicates.pairs(self.digests, self._parts(names))
        )
        files.write_rows(path, ("split", "document", "copy_split", "copy"), rows)

    def _parts(self, names: Names) -> dict[str, np.ndarray]:
        return {
            split: np.array([self.numbers[name] for name in names.get(split, ())], dtype=np.int64)
            for split in prepared.SPLITS
        }


def documents_of(splits: Splits) -> Names:
    """The documents of each split; one that is cut in parts counts for training, where it begins."""
    seen: set[str] = set()
    names: Names = {}
    for split in prepared.SPLITS:
        names[split] = [part.document for part in splits[split] if part.document not in seen]
        seen.update(names[split])
    return names


def line_digests(lines: Iterable[str]) -> np.ndarray:
    """A number for each line that is long enough, the same for equal lines: uint64 (N,)."""
    long = (duplicates.digest(line.encode("utf-8"))[0] for line in lines if len(line) >= LONG)
    return np.fromiter(long, dtype=np.uint64)


def repeated_lines(digests: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The share of each held-out split's long lines that stand in train, word for word."""
    return {
        split: float(np.isin(found, digests["train"]).mean()) if len(found) else 0.0
        for split, found in digests.items()
        if split != "train"
    }
