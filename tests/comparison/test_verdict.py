"""Verdicts: better, worse or no significant difference; paired where possible; different test sets are refused."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cvnlp.comparison import Evidence, Outcome, TestSet, adjusted, better
from cvnlp.language.comparison import ScoredTokens
from cvnlp.significance.over_seeds import SeedScores, welch
from cvnlp.significance.statistics import holm
from cvnlp.vision.comparison import ClassifiedImages

DIGEST = "a" * 64
LABELS = tuple(str(number % 10) for number in range(200))


def classifier(name: str, wrong: Sequence[int], **changes: Any) -> Evidence:
    """A classifier that classifies all of 200 images correctly but those of these numbers."""
    correct = np.ones(200, dtype=bool)
    correct[list(wrong)] = False
    scores = {"accuracy": float(correct.mean()), "images": 200}
    evidence = Evidence(name, "vision", scores, TestSet(200, DIGEST), ClassifiedImages(LABELS, correct))
    return replace(evidence, **changes)


def language_model(name: str, added: float, seed: int = 0, **changes: Any) -> Evidence:
    """A language model with the same losses as others, but for what is added and a little noise."""
    nats = np.random.default_rng(5).gamma(2.0, 1.0, 900) + added + np.random.default_rng(seed).normal(0, 0.1, 900)
    scores = {"nats_per_token": float(nats.mean()), "tokens": 900}
    evidence = Evidence(name, "language", scores, TestSet(900, DIGEST), ScoredTokens(nats.astype(np.float32)))
    return replace(evidence, **changes)


@pytest.mark.parametrize("evidence", [classifier("one", range(7)), language_model("one", 0.0)])
def test_a_model_against_itself_does_not_differ_and_has_p_1(evidence: Evidence) -> None:
    found = better(evidence, evidence)
    assert found.outcome is Outcome.SAME and not found.better
    assert found.difference.value == 0
    assert found.difference.p_value == 1


PAIRS = [
    (classifier("good", range(3)), classifier("bad", range(3, 30))),
    (language_model("good", 0.0, 1), language_model("bad", 0.05, 2)),
]


@pytest.mark.parametrize(("good", "bad"), PAIRS)
def test_the_better_model_is_better_and_the_other_one_worse(good: Evidence, bad: Evidence) -> None:
    one, other = better(good, bad), better(bad, good)
    assert (one.outcome, other.outcome) == (Outcome.BETTER, Outcome.WORSE)
    assert one.better and not other.better
    assert one.difference.p_value == other.difference.p_value < 0.01
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert (one.difference.low, one.difference.high) == pytest.approx((-other.difference.high, -other.difference.low))


def test_a_higher_accuracy_and_a_lower_loss_are_better() -> None:
    (good, bad), (likely, unlikely) = PAIRS
    assert better(good, bad).difference.value > 0
    assert better(likely, unlikely).difference.value < 0


def test_a_small_difference_is_not_significant() -> None:
    found = better(classifier("one", range(5)), classifier("other", range(3, 12)))
    assert found.outcome is Outcome.SAME
    assert found.difference.p_value is not None and found.difference.p_value > 0.05


def test_the_same_difference_of_accuracies_is_decided_by_the_pairs() -> None:
    """Eight images: of nine against one it is significant, of 28 against 20 it is not."""
    nested = better(classifier("one", [0]), classifier("other", range(1, 10)))
    apart = better(classifier("one", range(20)), classifier("other", range(20, 48)))
    assert nested.difference.value == pytest.approx(apart.difference.value)
    assert (nested.outcome, apart.outcome) == (Outcome.BETTER, Outcome.SAME)


@pytest.mark.parametrize("sides", [("examples", None), (None, "examples"), (None, None)])
def test_without_examples_of_both_nothing_is_tested(sides: tuple[str | None, str | None]) -> None:
    pair = [
        one if side else replace(one, examples=None)
        for one, side in zip((classifier("one", range(3)), classifier("other", range(50))), sides, strict=True)
    ]
    found = better(*pair)
    assert found.difference.p_value is None
    assert found.outcome is Outcome.BETTER  # the interval of two independent shares excludes 0
    missing = " and ".join(one.name for one in pair if one.examples is None)
    assert found.notes == (f"no paired test: {missing} without the results of single examples",)


def test_losses_without_tokens_have_no_verdict() -> None:
    found = better(language_model("one", 0.0), language_model("other", 0.5, examples=None))
    assert found.outcome is Outcome.UNKNOWN and not found.better
    assert (found.difference.low, found.difference.high) == (None, None)
    assert found.difference.value == pytest.approx(-0.5, abs=0.01)


def test_other_test_sets_are_refused() -> None:
    one, other = classifier("one", [1]), classifier("other", [2])
    with pytest.raises(ValueError, match="one and other were evaluated on different test sets, of 200 examples each"):
        better(one, replace(other, test_set=TestSet(200, "b" * 64)))
    with pytest.raises(ValueError, match="different test sets: 200 and 1,000 examples"):
        better(one, replace(other, test_set=TestSet(1000, DIGEST)))


def test_without_digests_the_params_of_the_data_decide() -> None:
    one = classifier("one", [1], test_set=TestSet(200, DIGEST, {"data.seed": "1", "data.source": "mnist"}))
    same, other = ({"data.seed": seed, "data.source": "mnist"} for seed in ("1", "2"))
    (note,) = better(one, replace(one, name="two", test_set=TestSet(200, None, same))).notes
    assert note.startswith("one and two: equal test sets are assumed")
    with pytest.raises(ValueError, match=r"different test sets: their data differ in data\.seed"):
        better(one, replace(one, name="two", test_set=TestSet(200, None, other)))


def test_other_labels_are_refused_whatever_the_digest() -> None:
    one, other = classifier("one", [1]), classifier("other", [1])
    shifted = ClassifiedImages(LABELS[1:] + LABELS[:1], np.ones(200, dtype=bool))
    with pytest.raises(ValueError, match="labels of the test images differ"):
        better(one, replace(other, examples=shifted))


def test_other_lengths_of_texts_are_refused() -> None:
    one = language_model("one", 0.0)
    with pytest.raises(ValueError, match="texts of 900 and 10 tokens"):
        better(one, replace(one, examples=ScoredTokens(np.zeros(10, np.float32))))


def test_a_classifier_and_a_language_model_have_no_score_in_common() -> None:
    with pytest.raises(ValueError, match="good and text have no score in common: vision and language"):
        better(classifier("good", []), language_model("text", 0.0))


def test_p_values_of_several_tests_are_adjusted_and_the_others_kept() -> None:
    champion = classifier("champion", range(10, 20))
    others = [classifier("a", [1]), classifier("b", [1, 2, 3]), classifier("c", [1], examples=None)]
    single = [better(other, champion) for other in others]
    found = adjusted(single)
    assert [one.first for one in found] == ["a", "b", "c"]
    values = [one.difference.p_value for one in single]
    assert values[0] < 0.05 and 2 * values[0] < values[1]
    assert [one.difference.p_value for one in found] == [pytest.approx(2 * values[0]), values[1], None]
    assert adjusted([]) == []


def test_runs_with_several_seeds_are_also_compared_over_seeds() -> None:
    many, other = (SeedScores((1, 2, 3), {"accuracy": values}) for values in ((0.9, 0.91, 0.92), (0.8, 0.82, 0.81)))
    found = better(classifier("one", range(7), seeds=many), classifier("other", range(7), seeds=other))
    assert found.outcome is Outcome.SAME
    assert found.over_seeds == welch((0.9, 0.91, 0.92), (0.8, 0.82, 0.81))
    assert found.over_seeds and found.outcome_of(found.over_seeds) is Outcome.BETTER
    assert better(classifier("one", range(7), seeds=many), classifier("other", range(7))).over_seeds is None
    of_nll = SeedScores((1, 2), {"nll": (0.1, 0.2)})
    assert better(classifier("one", range(7), seeds=many), classifier("other", [], seeds=of_nll)).over_seeds is None


def test_tests_over_seeds_are_adjusted_as_a_family_of_their_own() -> None:
    seeds = [SeedScores((1, 2), {"accuracy": values}) for values in ((0.9, 0.92), (0.8, 0.83), (0.5, 0.7))]
    first, *others = (classifier(str(n), range(n), seeds=one) for n, one in enumerate(seeds))
    raw = [better(other, first) for other in others]
    found = adjusted(raw)
    values = [one.over_seeds.p_value for one in raw if one.over_seeds and one.over_seeds.p_value]
    assert [one.over_seeds.p_value for one in found if one.over_seeds] == holm(values)
    assert [one.difference.p_value for one in found] == holm([one.difference.p_value or 1 for one in raw])
