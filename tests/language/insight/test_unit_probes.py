"""Probing of units: planted units are found, and measured on text that did not select them."""

import numpy as np
import pytest

from cvnlp.language.insight.unit_probes import correlations, probe_units

GENERATOR = np.random.default_rng(0)


def test_correlations_equal_pearson_s_r() -> None:
    states, values = GENERATOR.normal(size=(4, 30, 5)), GENERATOR.normal(size=(4, 30))
    expected = [np.corrcoef(states[..., unit].ravel(), values.ravel())[0, 1] for unit in range(5)]
    np.testing.assert_allclose(correlations(states, values), expected, rtol=1e-10)


def test_constants_have_a_correlation_of_0() -> None:
    states, values = GENERATOR.normal(size=(2, 9, 3)), GENERATOR.normal(size=(2, 9))
    states[..., 1] = 2.0
    assert correlations(states, values)[1] == 0
    assert correlations(states, np.ones((2, 9))).tolist() == [0, 0, 0]


def test_planted_unit_is_found_with_either_sign() -> None:
    values = GENERATOR.normal(size=(6, 50))
    states = GENERATOR.normal(size=(6, 50, 8))
    states[..., 5] = 3 - 2 * values
    (row,) = probe_units(states, {"planted": values}, GENERATOR.normal(size=(6, 50, 8))).to_dict("records")
    assert row["feature"] == "planted" and row["unit"] == 5
    assert row["selection"] == pytest.approx(-1) and row["held_out"] == pytest.approx(-1)
    assert abs(row["untrained"]) < 0.3


def test_unit_that_fits_only_the_selecting_half_is_measured_on_the_other() -> None:
    values = GENERATOR.normal(size=(6, 50))
    states = GENERATOR.normal(size=(6, 50, 8))
    states[:3, :, 2] = values[:3]
    (row,) = probe_units(states, {"chance": values}, states).to_dict("records")
    assert row["unit"] == 2 and row["selection"] == pytest.approx(1)
    assert abs(row["held_out"]) < 0.3


def test_noise_has_a_correlation_near_0_with_many_units_to_select_from() -> None:
    values, states = GENERATOR.normal(size=(4, 20)), GENERATOR.normal(size=(4, 20, 2000))
    (row,) = probe_units(states, {"noise": values}, states).to_dict("records")
    assert abs(row["selection"]) > 0.4 > abs(row["held_out"])


def test_text_without_features_has_an_empty_table() -> None:
    table = probe_units(np.zeros((2, 3, 4)), {}, np.zeros((2, 3, 4)))
    assert table.columns.tolist() == ["feature", "unit", "selection", "held_out", "untrained"] and table.empty
