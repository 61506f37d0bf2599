"""Scores with their intervals, and what a comparison of two runs by example needs of them."""

from dataclasses import dataclass
from typing import Any, Protocol

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Estimate:
    """A score with the bounds of its 95 % interval, None where unknown."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Difference:
    """First minus second of the same score, with its 95 % interval; `p_value` is None if nothing was tested.

    `method`: the test and what it is made of, for people.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    method: str

    @property
    def random(self) -> bool | None:
        """Whether it may be random: by the p-value, without one whether the interval has 0; None without both."""
        if self.p_value is not None:
            return self.p_value >= SIGNIFICANCE
        return None if self.low is None or self.high is None else self.low <= 0 <= self.high


class Examples(Protocol):
    """The result of every test example of one run."""

    def estimate(self) -> Estimate: ...
    def difference(self, other: Any) -> Difference:
        """From that of another run on the same examples; ValueError if they are not the same."""
        ...
