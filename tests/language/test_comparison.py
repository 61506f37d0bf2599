"""Results of single tokens, read from what `evaluate` writes."""

from pathlib import Path

import numpy as np
import pytest

from cvnlp.data import prepared
from cvnlp.language import comparison

SCORES = {"nats_per_token": 1.5, "tokens": 400}


def test_the_nats_of_an_evaluation_are_its_examples(tmp_path: Path) -> None:
    nats = np.random.default_rng(0).gamma(2.0, 1.0, 400).astype(np.float32)
    prepared.save_array(tmp_path, "nats", nats)
    found = comparison.read_examples(tmp_path, SCORES)
    assert found is not None
    assert np.array_equal(found.nats, nats)
    estimate = found.estimate()
    assert estimate.low is not None and estimate.high is not None
    assert estimate.low < estimate.value < estimate.high
    assert estimate.value == pytest.approx(nats.mean())


def test_an_evaluation_without_nats_has_no_examples_and_no_interval(tmp_path: Path) -> None:
    assert comparison.read_examples(tmp_path, SCORES) is None
    assert (comparison.estimate(SCORES).value, comparison.estimate(SCORES).low) == (1.5, None)
    assert comparison.example_count(SCORES) == 400


def test_the_difference_is_paired(tmp_path: Path) -> None:
    """A constant difference is certain, however much the losses themselves vary."""
    nats = np.random.default_rng(0).gamma(2.0, 5.0, 400).astype(np.float32)
    one, other = comparison.ScoredTokens(nats), comparison.ScoredTokens(nats + np.float32(0.25))
    found = one.difference(other)
    assert (found.value, found.low, found.high) == pytest.approx((-0.25, -0.25, -0.25), abs=1e-4)
    assert found.p_value is not None and found.p_value < 0.001
    assert found.method == "paired bootstrap of blocks of 20 tokens"
