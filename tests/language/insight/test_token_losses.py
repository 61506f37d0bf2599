"""Costs by place and by frequency, against means made by hand."""

import numpy as np
import pytest

from cvnlp.language.insight.token_losses import LEAST_TOKENS, by_frequency, by_position


def test_each_place_has_its_mean() -> None:
    places = np.repeat([1, 2, 3], [40, 50, LEAST_TOKENS - 1])
    table = by_position(places * 0.5, places)
    assert table.to_dict("list") == {"position": [1, 2], "nats": [0.5, 1.0], "tokens": [40, 50]}


def test_tokens_are_taken_together_by_decades_and_the_unknown_apart() -> None:
    counts = np.array([5000, 9, 10, 99, 100, 0])
    targets = np.repeat(np.arange(6), 40)
    table = by_frequency(targets.astype(float), targets, counts)
    assert table["times"].tolist() == [0, 1, 10, 100]
    assert table["tokens"].tolist() == [40, 80, 80, 40]
    assert table["nats"].tolist() == [0, 3, 2.5, 4]  # a token that is never in the training text counts as rare
    assert table["share"].sum() == pytest.approx(1)
    assert table["share"][1] == pytest.approx(240 / 600)
