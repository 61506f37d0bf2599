"""Scores over seeds: numbers against NumPy, the test against SciPy's definition and by hand."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cvnlp.significance.over_seeds import SeedScores, collect, welch

FIRST, SECOND = (0.978, 0.986, 0.974), (0.961, 0.955, 0.97, 0.962)


def test_mean_std_and_number_are_those_of_numpy() -> None:
    content = SeedScores((1, 2, 3), {"accuracy": FIRST}).to_json()
    found = content["accuracy"]
    assert found["mean"] == pytest.approx(np.mean(FIRST), rel=1e-15)
    assert found["std"] == pytest.approx(np.std(FIRST, ddof=1), rel=1e-12)
    assert found["n"] == 3
    assert content["scores"][1] == {"seed": 2, "accuracy": 0.986}


@pytest.mark.parametrize("scores", [SeedScores((1,), {}), SeedScores((4, 2), {"a": (1.0, 2.0), "b": (0.5, 0.25)})])
def test_the_file_has_all_that_is_needed(scores: SeedScores) -> None:
    assert SeedScores.from_json(scores.to_json()) == scores


def test_a_score_that_a_seed_lacks_or_that_is_not_finite_is_left_out() -> None:
    by_seed = {1: {"a": 1.0, "b": 2.0, "c": 3.0}, 2: {"a": 4.0, "b": math.inf}}
    assert collect(by_seed, ["a", "b", "c"]) == SeedScores((1, 2), {"a": (1.0, 4.0)})


def test_welch_is_the_test_of_the_textbook() -> None:
    """Statistic, degrees of freedom and interval from their formulas (Welch 1947)."""
    found = welch(FIRST, SECOND)
    variances = [np.var(values, ddof=1) / len(values) for values in (FIRST, SECOND)]
    error = math.sqrt(sum(variances))
    freedom = sum(variances) ** 2 / sum(
        one**2 / (len(values) - 1) for one, values in zip(variances, (FIRST, SECOND), strict=True)
    )
    value = np.mean(FIRST) - np.mean(SECOND)
    assert found.value == pytest.approx(value)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(value) / error, freedom))
    half = stats.t.ppf(0.975, freedom) * error
    assert (found.low, found.high) == pytest.approx((value - half, value + half))
    assert found.method == "Welch's t-test over 3 and 4 seeds"


def test_the_order_of_the_runs_changes_the_sign_alone() -> None:
    one, other = welch(FIRST, SECOND), welch(SECOND, FIRST)
    assert (one.value, one.low, one.p_value) == pytest.approx((-other.value, -other.high, other.p_value))


def test_the_test_finds_a_difference_at_its_level_alone() -> None:
    """Of samples with the same mean, about 5 % are called different."""
    generator = np.random.default_rng(1)
    found = [welch(generator.normal(0, 1, 5), generator.normal(0, 3, 4)).random for _ in range(1000)]
    assert 0.03 < 1 - np.mean(found) < 0.08


def test_scores_without_variation_are_not_tested() -> None:
    found = welch((0.5, 0.5), (0.75, 0.75))
    assert (found.value, found.p_value, found.random) == (-0.25, None, None)
    assert welch((0.5, 0.5), (0.75, 0.8)).p_value is not None


@pytest.mark.parametrize("values", [(), (0.5,)])
def test_one_seed_is_no_sample(values: Any) -> None:
    with pytest.raises(ValueError, match="two seeds of each run or more, not 3 and"):
        welch(FIRST, values)
