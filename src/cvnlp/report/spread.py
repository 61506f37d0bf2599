"""A number over seeds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A number over seeds: mean, sample standard deviation (n - 1; None of a single run) and number of runs."""

    mean: float
    std: float | None
    count: int

    def __format__(self, spec: str) -> str:
        """`94.35 ± 0.08 (3)`: mean, standard deviation, number of runs; of a single run its number alone.

        An empty `spec` gives four decimals below 10 and one above.
        """
        spec = spec or (",.4f" if abs(self.mean) < 10 else ",.1f")
        if self.std is None:
            return f"{self.mean:{spec}}"
        return f"{self.mean:{spec}} ± {self.std:{spec}} ({self.count})"

    def scaled(self, factor: float) -> "Spread":
        return Spread(self.mean * factor, None if self.std is None else self.std * factor, self.count)
