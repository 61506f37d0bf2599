"""Sentences from numbers: true for any numbers."""

import random
import re

import pytest

from cvnlp.report.changes import arrow
from cvnlp.report.sentences import compared, listed, number, percent, sentence
from cvnlp.significance.difference import Difference

TRIALS = range(300)


def random_difference(seed: int) -> Difference:
    """With or without a test, and an interval that may have 0 in it."""
    generator = random.Random(seed)
    value, half = generator.uniform(-0.5, 0.5), generator.uniform(0, 0.5)
    p_value = generator.choice([None, generator.random(), generator.random() / 1000])
    bounds = generator.choice([(None, None), (value - half, value + half)])
    return Difference(value, *bounds, p_value, "")


@pytest.mark.parametrize("seed", TRIALS)
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_comparison_names_a_direction_only_beyond_chance(seed: int, higher_is_better: bool) -> None:
    found = random_difference(seed)
    clause = compared("one", "two", found, higher_is_better=higher_is_better, points=higher_is_better)
    if found.random is None:
        assert "not tested" in clause
    elif found.random:
        assert "may be random" in clause and "better" not in clause and "worse" not in clause
    else:
        better = (found.value > 0) == higher_is_better
        assert f"one is {'better' if better else 'worse'} than two" in clause
    size = 100 * abs(found.value) if higher_is_better else abs(found.value)
    (shown,) = re.findall(r"([\d.]+) (?:percentage points|nats)", clause)
    assert float(shown) == pytest.approx(size, abs=0.051 if higher_is_better else 0.00051)


@pytest.mark.parametrize("seed", TRIALS)
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_an_arrow_agrees_with_the_sentence(seed: int, higher_is_better: bool) -> None:
    found = random_difference(seed)
    clause = compared("one", "two", found, higher_is_better=higher_is_better, points=True)
    shown = arrow(found, higher_is_better=higher_is_better)
    assert ("▲" in shown) == ("is better" in clause)
    assert ("▼" in shown) == ("is worse" in clause)


@pytest.mark.parametrize("seed", TRIALS)
def test_the_order_of_two_runs_does_not_matter(seed: int) -> None:
    found = random_difference(seed)
    low, high = (None, None) if found.low is None or found.high is None else (-found.high, -found.low)
    turned = Difference(-found.value, low, high, found.p_value, "")
    first = arrow(found, higher_is_better=True)
    second = arrow(turned, higher_is_better=True)
    assert {first, second} in ({"▲ better", "▼ worse"}, {"may be random"}, {"not tested"})


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0.0%"), (1.0, "100.0%"), (0.9997, "more than 99.9%"), (0.0001, "less than 0.1%"), (0.978, "97.8%")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_numbers_and_lists() -> None:
    assert [number(value) for value in (0.012345, 1.5136, 98442)] == ["0.0123", "1.51", "98,442"]
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_a_sentence_keeps_the_case_of_names_of_runs() -> None:
    assert sentence("cnn is better than mlp") == "cnn is better than mlp."
    assert sentence("the difference may be random") == "The difference may be random."
