"""Metrics of a language model, against torchmetrics and hand-computed values."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchmetrics.text import Perplexity

from cvnlp.language import metrics


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 5.0])
def test_perplexity_equals_that_of_torchmetrics(sharpness: float) -> None:
    logits = torch.randn(3, 20, 11, generator=torch.Generator().manual_seed(1)) * sharpness
    targets = torch.randint(0, 11, (3, 20), generator=torch.Generator().manual_seed(2))
    nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").numpy()
    expected = float(Perplexity()(logits, targets))
    assert metrics.summary(nats, unknown=0, token_kind="words")["perplexity"] == pytest.approx(expected, rel=1e-5)


def test_every_token_has_the_same_weight() -> None:
    """The mean of the means of windows of different lengths would be different."""
    windows = [np.array([1.0, 1.0, 1.0, 1.0]), np.array([6.0])]
    found = metrics.summary(np.concatenate(windows), unknown=0, token_kind="words")
    assert found["nats_per_token"] == 2.0
    assert found["perplexity"] == pytest.approx(math.exp(2.0))
    assert found["tokens"] == 5


def test_uniform_distribution_has_the_perplexity_of_the_vocabulary_size() -> None:
    found = metrics.summary(np.full(100, math.log(65)), unknown=0, token_kind="characters")
    assert found["perplexity"] == pytest.approx(65)
    assert found["bits_per_character"] == pytest.approx(math.log2(65))


def test_bits_per_character_exist_only_for_characters() -> None:
    nats = np.array([math.log(2), math.log(8)], np.float32)
    assert metrics.summary(nats, unknown=0, token_kind="characters")["bits_per_character"] == pytest.approx(2.0)
    assert "bits_per_character" not in metrics.summary(nats, unknown=0, token_kind="words")


def test_unknown_tokens_are_a_share_of_all_tokens() -> None:
    assert metrics.summary(np.zeros(8), unknown=2, token_kind="words")["unknown_share"] == 0.25


def test_mean_over_a_long_text_is_exact() -> None:
    """The sum of 16 million numbers in float32 would be wrong in the third digit."""
    nats = np.full(2**24, 0.1, np.float32)
    assert metrics.summary(nats, unknown=0, token_kind="words")["nats_per_token"] == pytest.approx(0.1, rel=1e-7)


def test_scores_of_a_diverged_model_are_finite() -> None:
    found = metrics.summary(np.full(4, 1e6, np.float32), unknown=0, token_kind="characters")
    assert found["nats_per_token"] == 1e6
    assert all(math.isfinite(value) for value in found.values())


def test_every_headline_is_a_score() -> None:
    found = metrics.summary(np.ones(3), unknown=0, token_kind="characters")
    for method in metrics.ADAPTED:
        found |= metrics.adapted(method, np.ones(3), token_kind="characters")
    assert set(metrics.HEADLINE) <= set(found)


def test_scores_of_an_adapting_model_have_other_names() -> None:
    nats = np.array([math.log(2), math.log(8)], np.float32)
    found = metrics.adapted("cache", nats, token_kind="words")
    assert found == pytest.approx({"nats_per_token_cache": math.log(4), "perplexity_cache": 4.0})
    assert not set(found) & set(metrics.summary(nats, unknown=0, token_kind="words"))
    assert metrics.adapted("dynamic", nats, token_kind="characters")["bits_per_character_dynamic"] == pytest.approx(2)


def test_mean_loss_of_each_position() -> None:
    places = np.repeat([1, 2, 3], [40, 50, metrics.MIN_TOKENS - 1])
    table = metrics.losses_by_position(places * 0.5, places)
    assert table.to_dict("list") == {"position": [1, 2], "nats": [0.5, 1.0], "tokens": [40, 50]}


def test_tokens_are_grouped_by_decades_of_frequency_and_the_unknown_is_separate() -> None:
    counts = np.array([5000, 9, 10, 99, 100, 0])
    targets = np.repeat(np.arange(6), 40)
    table = metrics.losses_by_frequency(targets.astype(float), targets, counts)
    assert table["frequency"].tolist() == [0, 1, 10, 100]
    assert table["tokens"].tolist() == [40, 80, 80, 40]
    assert table["nats"].tolist() == [0, 3, 2.5, 4]  # tokens that training text lacks are in the first decade
    assert table["share"].sum() == pytest.approx(1)
    assert table["share"][1] == pytest.approx(240 / 600)


def test_interval_of_the_perplexity_is_close_to_that_of_the_normal_distribution() -> None:
    nats = np.random.default_rng(3).normal(2.0, 0.5, 400)
    low, high = metrics.perplexity_interval(nats)
    half = 1.96 * nats.std() / math.sqrt(400)
    assert low == pytest.approx(math.exp(nats.mean() - half), rel=0.01)
    assert high == pytest.approx(math.exp(nats.mean() + half), rel=0.01)
    assert metrics.perplexity_interval(nats) == (low, high)


def test_interval_of_one_text_or_equal_texts_is_a_point() -> None:
    for count in (1, 5):
        assert metrics.perplexity_interval(np.full(count, 2.0)) == pytest.approx((math.exp(2.0),) * 2)


def test_interval_of_a_diverged_network_is_finite() -> None:
    assert all(math.isfinite(end) for end in metrics.perplexity_interval(np.full(5, 1e6)))
