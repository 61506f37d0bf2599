"""Tests and intervals of a difference between two models: pure functions.

Paired: both models have answered the same test examples. The exact test of McNemar (1947) for classifiers; a bootstrap
of blocks of consecutive tokens, whose losses are not independent, for language models.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95  # of all intervals
Z = 1.959963984540054  # the quantile of the normal distribution for LEVEL
RESAMPLES = 10_000
SEED = 1
AT_ONCE = 2**22  # random numbers in memory


@dataclass(frozen=True)
class Mean:
    """The mean of dependent values, its interval, and the p-value of the hypothesis that the true mean is 0."""

    value: float
    low: float
    high: float
    p_value: float


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test, from the examples that only one of two classifiers has right."""
    from scipy.stats import binomtest  # here: takes half a second

    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def paired_share_interval(only_first: int, only_second: int, count: int) -> tuple[float, float]:
    """The interval of the difference of two paired shares, first minus second (Agresti and Min 2005).

    Wald's interval after half an example is added to each of the four cells: it is usable for few discordant pairs.
    """
    total, first, second = count + 2, only_first + 0.5, only_second + 0.5
    middle = (first - second) / total
    width = Z * math.sqrt(first + second - (first - second) ** 2 / total) / total
    return max(-1.0, middle - width), min(1.0, middle + width)


def unpaired_share_interval(successes: tuple[int, int], counts: tuple[int, int]) -> tuple[float, float]:
    """The interval of the difference of two independent shares, first minus second (Newcombe 1998, method 10)."""
    shares = [one / count for one, count in zip(successes, counts, strict=True)]
    (low, high), (other_low, other_high) = (wilson(*pair) for pair in zip(successes, counts, strict=True))
    middle = shares[0] - shares[1]
    return (
        middle - math.hypot(shares[0] - low, other_high - shares[1]),
        middle + math.hypot(high - shares[0], shares[1] - other_low),
    )


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The interval of a share (Wilson 1927)."""
    share, weight = successes / count, Z * Z / count
    centre = (share + weight / 2) / (1 + weight)
    half = Z * math.sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    return centre - half if successes else 0.0, centre + half if successes < count else 1.0  # without rounding


def block_bootstrap(
    values: np.ndarray, *, length: int | None = None, resamples: int = RESAMPLES, seed: int = SEED
) -> Mean:
    """The mean of values (N,) in their order, by the circular block bootstrap (Politis and Romano 1992).

    A resample consists of blocks of `length` consecutive values (by default the square root of N) from random places;
    after the last value comes the first. The interval is symmetric: within it are LEVEL of the resampled means, moved
    to the mean of the values. The p-value is the share of resamples that differ from their centre by at least the mean.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    distances = np.abs(_resampled_means(values, length or default_length(len(values)), resamples, seed) - mean)
    half = float(np.quantile(distances, LEVEL))
    p_value = (1 + int((distances >= abs(mean)).sum())) / (1 + resamples)
    return Mean(mean, mean - half, mean + half, p_value)


def default_length(count: int) -> int:
    return max(1, math.isqrt(count))


def _resampled_means(values: np.ndarray, length: int, resamples: int, seed: int) -> np.ndarray:
    length = min(length, len(values))
    sums = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values[: length - 1])))))
    means = (sums[length:] - sums[:-length]) / length  # of the block from each place
    generator, blocks = np.random.default_rng(seed), -(-len(values) // length)
    size = max(1, AT_ONCE // blocks)
    parts = [
        means[generator.integers(len(means), size=(min(size, resamples - start), blocks))].mean(axis=1)
        for start in range(0, resamples, size)
    ]
    return np.concatenate(parts)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests adjusted for their number (Holm 1979), in the same order."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    raised = np.minimum(1.0, np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors))
    result = np.empty(len(p_values))
    result[order] = raised
    return [float(value) for value in result]
