"""Which part of every batch a process computes, and in how many steps. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class BatchSlices:
    """Process `rank` of `processes` computes its slice of every batch in `accumulate` parts."""

    rank: int = 0
    processes: int = 1
    accumulate: int = 1

    @property
    def total(self) -> int:
        """Number of parts of a batch in all processes."""
        return self.processes * self.accumulate

    @property
    def whole(self) -> "BatchSlices":
        """The same process's slices in one part each."""
        return BatchSlices(self.rank, self.processes)

    def __iter__(self) -> Iterator[int]:
        """The numbers of this process's parts, of all `total`."""
        return iter(range(self.rank * self.accumulate, (self.rank + 1) * self.accumulate))

    def cut(self, count: int) -> Iterator[slice]:
        """The slices of this process of `count` rows; they differ by at most one row, and may be empty."""
        for part in self:
            yield slice(count * part // self.total, count * (part + 1) // self.total)


WHOLE = BatchSlices()
