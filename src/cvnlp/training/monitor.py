"""The metric by which the best epoch of a training is chosen."""

from typing import Literal, NamedTuple

MONITOR = "validation_nll"  # nats per image or per token


class Monitor(NamedTuple):
    """The metric by which the best epoch is chosen, and whether its smallest or largest value is best."""

    metric: str
    mode: Literal["min", "max"]

    def best(self, rows: list[dict[str, float]]) -> dict[str, float]:
        """The first of the rows with the best value."""
        return (min if self.mode == "min" else max)(rows, key=lambda row: row[self.metric])
