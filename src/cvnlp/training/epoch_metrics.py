"""Means over the examples of an epoch, in all processes."""

import torch
from pytorch_lightning.strategies import Strategy
from torch import Tensor


class EpochMetrics:
    """Sums and counts per metric. They stay on the device: until the end of the epoch nothing waits for it."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, Tensor] = {}

    def add(self, name: str, total: Tensor, count: int | Tensor) -> None:
        """Add `total`, a sum over `count` examples. In place, so that a recorded step adds to the same sums."""
        if name not in self.sums:
            self.sums[name] = torch.zeros((), device=total.device)
            self.counts[name] = torch.zeros((), dtype=torch.int64, device=total.device)
        self.sums[name] += total.detach().float()
        self.counts[name] += count

    def state(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The sums and counts so far."""
        return self.sums, self.counts

    def load(self, state: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
        self.sums, self.counts = state

    def reduce(
        self, strategy: Strategy, device: torch.device, processes: int
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Means and counts of the epoch over all processes; sums and counts start again at zero."""
        names = [name for name, count in self.counts.items() if count]
        values = [float(values[name]) for values in (self.sums, self.counts) for name in names]
        for total in (*self.sums.values(), *self.counts.values()):
            total.zero_()
        if processes > 1:
            local = torch.tensor(values, dtype=torch.float64, device=device)
            values = strategy.reduce(local, reduce_op="sum").tolist()
        counts = dict(zip(names, values[len(names) :], strict=True))
        return {name: total / counts[name] for name, total in zip(names, values, strict=False)}, counts
