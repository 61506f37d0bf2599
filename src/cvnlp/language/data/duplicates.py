"""Duplicate documents, and lines of held-out splits that occur in the training text, too."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.data import duplicates, prepared
from cvnlp.data.user_files import printable
from cvnlp.language.data.splits import Names, Splits

MIN_LINE = 40  # characters of a line that is compared: shorter ones are often equal by coincidence


class DocumentDuplicates:
    """`digests`, uint64 (N, 2), are those of the documents `names`, in this order."""

    def __init__(self, names: Iterable[str], digests: np.ndarray) -> None:
        self.names, self.digests = list(names), digests
        self.numbers = {name: number for number, name in enumerate(self.names)}

    def drop(self, names: Names) -> Names:
        """The documents of each split without duplicates; of equal ones a held-out one is kept."""
        kept = duplicates.drop(self.digests, self._parts(names))
        return {split: [self.names[number] for number in numbers.tolist()] for split, numbers in kept.items()}

    def count(self, names: Names) -> duplicates.Counts:
        return duplicates.count(self.digests, self._parts(names))

    def save(self, path: Path, names: Names) -> None:
        """A CSV file with a row for each document that equals an earlier one."""
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
    """The documents of each split; one that is cut into several splits counts for the first, training."""
    seen: set[str] = set()
    names: Names = {}
    for split in prepared.SPLITS:
        names[split] = [part.document for part in splits[split] if part.document not in seen]
        seen.update(names[split])
    return names


def line_digests(lines: Iterable[str]) -> np.ndarray:
    """Digests uint64 (N,) of the lines of at least MIN_LINE characters."""
    long = (duplicates.digest(line.encode("utf-8"))[0] for line in lines if len(line) >= MIN_LINE)
    return np.fromiter(long, dtype=np.uint64)


def repeated_lines(digests: Mapping[str, np.ndarray]) -> dict[str, float]:
    """For each held-out split the share of its long lines that occur in the training text, by their digests."""
    return {
        split: float(np.isin(of_split, digests["train"]).mean()) if len(of_split) else 0.0
        for split, of_split in digests.items()
        if split != "train"
    }
