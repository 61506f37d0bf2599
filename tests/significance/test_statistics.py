"""Statistics of a difference: published values, scipy's distributions, and properties that every test must have."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from cvnlp.significance import statistics
from cvnlp.vision.metrics import wilson_interval

PAIRS = [(0, 0), (1, 9), (6, 14), (150, 86), (0, 1), (40, 40), (3, 209)]


# McNemar --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_mcnemar_is_twice_the_tail_of_the_binomial_distribution(first: int, second: int) -> None:
    tail = float(stats.binom.cdf(min(first, second), first + second, 0.5))
    assert statistics.mcnemar(first, second) == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_of_one_and_nine_is_twenty_two_of_1024() -> None:
    assert statistics.mcnemar(1, 9) == pytest.approx(22 / 1024)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_mcnemar_does_not_depend_on_the_order(first: int, second: int) -> None:
    assert statistics.mcnemar(first, second) == statistics.mcnemar(second, first)


def test_mcnemar_without_discordant_examples_is_1() -> None:
    assert statistics.mcnemar(0, 0) == 1.0


def test_mcnemar_rejects_at_most_a_twentieth_of_equal_classifiers() -> None:
    """Exactly, for every number of discordant examples: the test is exact, not approximate."""
    for count in (5, 6, 20, 51):
        rejected = sum(
            float(stats.binom.pmf(first, count, 0.5))
            for first in range(count + 1)
            if statistics.mcnemar(first, count - first) < 0.05
        )
        assert rejected <= 0.05


# Intervals of shares --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "counts", "expected"),
    [  # Newcombe 1998, table II, method 10
        ((56, 48), (70, 80), (0.0524, 0.3339)),
        ((9, 3), (10, 10), (0.1705, 0.8090)),
        ((6, 2), (7, 7), (0.0582, 0.8062)),
        ((5, 0), (56, 29), (-0.0381, 0.1926)),
    ],
)
def test_unpaired_intervals_are_those_that_newcombe_published(
    successes: tuple[int, int], counts: tuple[int, int], expected: tuple[float, float]
) -> None:
    assert statistics.unpaired_share_interval(successes, counts) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_paired_interval_is_that_of_agresti_and_min(first: int, second: int) -> None:
    """Wald's interval for paired shares, of a table to whose cells a half is added."""
    count = 1600
    table = np.array([count - first - second, first, second, 0]) + 0.5
    shares, total = table / table.sum(), table.sum()
    difference = shares[1] - shares[2]
    error = math.sqrt((shares[1] + shares[2] - difference**2) / total)
    z = stats.norm.ppf(0.975)
    expected = (difference - z * error, difference + z * error)
    assert statistics.paired_share_interval(first, second, count) == pytest.approx(expected)


def test_intervals_turn_their_sign_with_the_order() -> None:
    low, high = statistics.paired_share_interval(6, 14, 500)
    assert statistics.paired_share_interval(14, 6, 500) == pytest.approx((-high, -low))
    low, high = statistics.unpaired_share_interval((481, 489), (500, 500))
    assert statistics.unpaired_share_interval((489, 481), (500, 500)) == pytest.approx((-high, -low))


def test_pairs_give_a_narrower_interval_than_independent_examples() -> None:
    paired, unpaired = (
        statistics.paired_share_interval(6, 14, 500),
        statistics.unpaired_share_interval((481, 489), (500, 500)),
    )
    assert paired[1] - paired[0] < unpaired[1] - unpaired[0]


@pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
def test_intervals_of_shares_stay_within_one(pair: tuple[int, int]) -> None:
    low, high = statistics.paired_share_interval(*pair, 1)
    assert -1 <= low <= high <= 1


@pytest.mark.parametrize(("successes", "count"), [(0, 10), (10, 10), (489, 500), (1, 3)])
def test_wilson_is_that_of_scipy_and_of_the_scores(successes: int, count: int) -> None:
    found = statistics.wilson(successes, count)
    expected = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found == pytest.approx(wilson_interval(successes, count), abs=1e-7)


# Block bootstrap ------------------------------------------------------------------------------------------------------


def test_the_bootstrap_of_single_values_is_about_a_t_test() -> None:
    values = np.random.default_rng(0).normal(0.1, 1.0, 400)
    found, expected = statistics.block_bootstrap(values, length=1), stats.ttest_1samp(values, 0.0)
    interval = expected.confidence_interval(0.95)
    assert found.value == pytest.approx(values.mean())
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.01)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.01)


def test_values_that_are_all_0_give_p_1_and_an_interval_of_0() -> None:
    assert statistics.block_bootstrap(np.zeros(50)) == statistics.Mean(0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_bootstrap_turns_its_sign_with_the_values(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.05, 1.0, 200)
    one, other = statistics.block_bootstrap(values), statistics.block_bootstrap(-values)
    assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))
    assert other.p_value == one.p_value


def test_the_bootstrap_is_deterministic_and_does_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(0.05, 1.0, 300)
    whole = statistics.block_bootstrap(values, resamples=500)
    assert statistics.block_bootstrap(values, resamples=500) == whole
    monkeypatch.setattr(statistics, "AT_ONCE", 1000)
    assert statistics.block_bootstrap(values, resamples=500) == whole


def test_a_large_difference_has_the_smallest_p_value() -> None:
    values = np.random.default_rng(1).normal(5.0, 1.0, 100)
    assert statistics.block_bootstrap(values, resamples=999).p_value == pytest.approx(1 / 1000)


@pytest.mark.parametrize("values", [[3.0], [1.0, 2.0], [-1.0, 1.0, 0.0]])
def test_few_values_are_no_error(values: list[float]) -> None:
    found = statistics.block_bootstrap(np.array(values))
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(np.mean(values))
    assert 0 < found.p_value <= 1


def dependent(seed: int, count: int = 1000) -> np.ndarray:
    """Values with mean 0, each close to the one before."""
    noise = np.random.default_rng(seed).normal(size=count + 50)
    values = np.zeros(count + 50)
    for place in range(1, len(values)):
        values[place] = 0.7 * values[place - 1] + noise[place]
    return values[50:]


def test_blocks_account_for_dependent_values_and_single_values_do_not() -> None:
    def rejected(length: int) -> float:
        found = [statistics.block_bootstrap(dependent(seed), length=length, resamples=200) for seed in range(200)]
        return sum(one.p_value < 0.05 for one in found) / len(found)

    assert rejected(statistics.default_length(1000)) < 0.12
    assert rejected(1) > 0.3


def test_resampled_means_are_those_of_whole_blocks() -> None:
    """With blocks of the whole length every resample is a rotation of the values, with their mean."""
    values = np.random.default_rng(0).normal(size=20)
    found = statistics.block_bootstrap(values, length=20, resamples=50)
    assert (found.low, found.high) == pytest.approx((found.value, found.value))


# Holm -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [  # p.adjust(..., "holm") of R
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.2], [0.2]),
        ([0.6, 0.5], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([], []),
    ],
)
def test_holm_is_that_of_r(given: list[float], expected: list[float]) -> None:
    assert statistics.holm(given) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_holm_keeps_the_order_and_is_between_the_values_and_bonferroni(seed: int) -> None:
    given = np.random.default_rng(seed).uniform(0, 0.3, 6)
    found = np.array(statistics.holm(given.tolist()))
    assert (found >= given).all() and (found <= np.minimum(1, given * len(given)) + 1e-12).all()
    assert all(low <= high for low, high in pairwise(found[np.argsort(given)]))
