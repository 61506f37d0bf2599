"""Scores of a run over several seeds, and whether two runs differ over seeds: pure functions.

The test on the same examples asks whether one trained model is better than another on data of this kind; the test over
seeds whether one way of training is better than another.
"""

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvnlp.significance.difference import Difference

SEEDS, SCORES, SEED = "seeds", "scores", "seed"  # keys of the file


@dataclass(frozen=True)
class SeedScores:
    """`scores`: score -> its value for each of the `seeds`, in the same order; all seeds have all scores."""

    seeds: tuple[int, ...]
    scores: Mapping[str, tuple[float, ...]]

    def to_json(self) -> dict[str, Any]:
        """The content of reports/seeds/<run>.json: mean, std and n of each score, and all values by seed.

        Of a single seed its number alone, for its scores are in reports/scores.
        """
        if len(self.seeds) < 2:
            return {SEEDS: list(self.seeds)}
        summary = {
            name: {"mean": statistics.fmean(values), "std": statistics.stdev(values), "n": len(values)}
            for name, values in self.scores.items()
        }
        rows = [
            {SEED: seed} | {name: values[place] for name, values in self.scores.items()}
            for place, seed in enumerate(self.seeds)
        ]
        return {**summary, SEEDS: list(self.seeds), SCORES: rows}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "SeedScores":
        rows = content.get(SCORES, [])
        names = [name for name in rows[0] if name != SEED] if rows else []
        return cls(tuple(content[SEEDS]), {name: tuple(row[name] for row in rows) for name in names})


def collect(by_seed: Mapping[int, Mapping[str, float]], names: Sequence[str]) -> SeedScores:
    """Those of the scores `names` that are finite for every seed."""
    shared = [name for name in names if all(math.isfinite(one.get(name, math.nan)) for one in by_seed.values())]
    return SeedScores(tuple(by_seed), {name: tuple(float(one[name]) for one in by_seed.values()) for name in shared})


def welch(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Difference of the means, first minus second, by Welch's t-test (1947): two samples with variances of their own.

    ValueError for fewer than two values of either. Without any variation there is neither a test nor an interval.
    """
    from scipy.stats import ttest_ind  # here: takes half a second

    if min(len(first), len(second)) < 2:
        raise ValueError(f"Welch's test needs two seeds of each run or more, not {len(first)} and {len(second)}")
    value, counts = statistics.fmean(first) - statistics.fmean(second), f"{len(first)} and {len(second)} seeds"
    if len(set(first)) == len(set(second)) == 1:
        return Difference(value, None, None, None, f"{counts}, whose scores do not vary")
    with warnings.catch_warnings(action="ignore"):  # scores that are nearly equal
        found = ttest_ind(first, second, equal_var=False)
        interval = found.confidence_interval()
    bounds = float(interval.low), float(interval.high)
    return Difference(value, *bounds, float(found.pvalue), f"Welch's t-test over {counts}")
