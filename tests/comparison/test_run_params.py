"""The params that differ between runs."""

from pathlib import Path

import pytest

from cvnlp.comparison.run_params import as_text, differing, run_params
from cvnlp.params import read_params

PARAMS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
runs:
  one:
    {domain: vision, dataset: digits, seed: 1, model: {name: cnn, blocks: [{filters: 8}, {filters: 16}]},
     train: {epochs: 1, lr: 0.01}, evaluate: {}, attack: {eps: [0.1]}, insight: {}}
  two:
    {domain: vision, dataset: digits, seed: 1, model: {name: cnn, blocks: [{filters: 8}, {filters: 24, pool: 3}]},
     train: {epochs: 1, lr: 0.02}, evaluate: {}, attack: {eps: [0.1]}, insight: {}}
  third:
    {domain: vision, dataset: digits, seed: 2, model: {name: mlp}, train: {epochs: 1, lr: 0.01}, evaluate: {},
     attack: {eps: [0.1]}, insight: {}}
"""


@pytest.fixture
def params(tmp_path: Path) -> dict[str, dict[str, str]]:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    settings = read_params(tmp_path / "params.yaml")
    return {name: run_params(settings, name) for name in settings.runs}


def test_the_params_of_a_run_have_defaults_and_the_data(params: dict[str, dict[str, str]]) -> None:
    assert params["one"]["train.lr"] == "0.01"
    assert params["one"]["train.batch_size"] == "128"
    assert params["one"]["data.validation"] == "50"
    assert params["one"]["domain"] == "vision"


def test_equal_runs_differ_in_nothing(params: dict[str, dict[str, str]]) -> None:
    assert differing([params["one"], params["one"]]) == {}


def test_lists_of_tables_are_compared_entry_by_entry(params: dict[str, dict[str, str]]) -> None:
    assert differing([params["one"], params["two"]]) == {
        "model.blocks.1.filters": ["16", "24"],
        "model.blocks.1.pool": ["2", "3"],
        "train.lr": ["0.01", "0.02"],
    }


def test_a_key_of_one_network_only_is_none_for_the_other(params: dict[str, dict[str, str]]) -> None:
    found = differing([params["one"], params["third"]])
    assert found["seed"] == ["1", "2"]
    assert found["model.name"] == ["cnn", "mlp"]
    blocks = found["model.blocks"]
    assert blocks[0] is not None and blocks[0].startswith("[{'filters': 8") and blocks[1] is None


def test_null_and_a_missing_key_are_the_same() -> None:
    assert differing([{"clip": "None"}, {}]) == {}


def test_a_text_that_only_looks_like_tables_is_compared_as_text() -> None:
    assert differing([{"key": "[{"}, {"key": "[{}]"}]) == {"key": ["[{", "[{}]"]}


def test_more_entries_are_differences() -> None:
    one, other = (as_text({"blocks": blocks}) for blocks in ([{"a": 1}], [{"a": 1}, {"a": 2}]))
    assert differing([one, other]) == {"blocks.1.a": [None, "2"]}
