"""Runs that differ only in their seed are one row, with mean and standard deviation."""

import statistics
from pathlib import Path
from typing import Any

import pytest

from cvnlp import files
from cvnlp.params import Params
from cvnlp.paths import ProjectPaths
from cvnlp.report import aggregate, seed_scores
from cvnlp.report.aggregate import Size
from cvnlp.report.spread import Spread
from cvnlp.significance.over_seeds import SeedScores

DATA = {"domain": "vision", "source": "mnist_sample", "seed": 1, "validation": 500, "test": 500}
RUN = {
    "domain": "vision",
    "dataset": "digits",
    "seed": 1,
    "model": {"name": "mlp", "hidden": [8], "dropout": 0.5},
    "train": {"epochs": 2},
    "evaluate": {},
    "attack": {"eps": [0.1]},
    "insight": {},
}


def settings(**runs: dict[str, Any]) -> Params:
    return Params(datasets={"digits": DATA, "other": DATA}, runs={name: RUN | run for name, run in runs.items()})


def groups(**runs: dict[str, Any]) -> dict[str, list[str]]:
    return aggregate.group_by_seed(settings(**runs).runs)


def test_runs_that_differ_in_their_seed_alone_are_one_in_the_order_of_the_file() -> None:
    found = groups(mlp_1={}, rules={"model": {"name": "rules"}}, mlp_2={"seed": 2}, mlp_3={"seed": 3})
    assert found == {"mlp": ["mlp_1", "mlp_2", "mlp_3"], "rules": ["rules"]}
    assert list(found) == ["mlp", "rules"]


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "other"},
        {"model": {"name": "mlp", "hidden": [9], "dropout": 0.5}},
        {"train": {"epochs": 3}},
        {"evaluate": {"bins": 10}},
        {"attack": {"eps": [0.2]}},
        {"insight": {"filters": 2}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_difference_keeps_runs_apart(change: dict[str, Any]) -> None:
    assert groups(mlp_1={}, mlp_2={"seed": 2} | change) == {"mlp_1": ["mlp_1"], "mlp_2": ["mlp_2"]}


def test_the_order_of_keys_and_defaults_written_out_make_no_difference() -> None:
    model = {"dropout": 0.5, "hidden": [8], "name": "mlp"}
    assert groups(a_1={}, a_2={"seed": 2, "model": model, "train": {"epochs": 2, "batch_size": 128}}) == {
        "a": ["a_1", "a_2"]
    }


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (["cnn_1", "cnn_2"], "cnn"),
        (["cnn_10", "cnn_11"], "cnn"),
        (["cnn", "cnn_2"], "cnn"),
        (["lenet5_1", "lenet5_2"], "lenet5"),
        (["lenet5_seed1", "lenet5_seed2"], "lenet5_seed"),
        (["first", "other"], "first, other"),
        (["only_1"], "only_1"),
    ],
)
def test_a_row_is_named_by_what_its_names_share(names: list[str], shared: str) -> None:
    assert list(groups(**{name: {"seed": seed} for seed, name in enumerate(names)})) == [shared]


def test_two_rows_never_have_the_same_name() -> None:
    other = {"train": {"epochs": 5}}
    found = groups(
        cnn_1={}, cnn_2={"seed": 2}, cnn_3=other, cnn_4=other | {"seed": 2}, cnn=other | {"dataset": "other"}
    )
    assert found == {"cnn_1, cnn_2": ["cnn_1", "cnn_2"], "cnn_3, cnn_4": ["cnn_3", "cnn_4"], "cnn": ["cnn"]}


def test_the_deviation_is_the_sample_s() -> None:
    assert aggregate.spread([1.0, 2.0, 6.0]) == Spread(3.0, pytest.approx(7**0.5), 3)
    assert aggregate.spread([4.0, 4.0]) == Spread(4.0, 0.0, 2)


def test_one_number_has_no_deviation() -> None:
    assert aggregate.spread([0.5]) == Spread(0.5, None, 1)


@pytest.fixture
def paths(tmp_path: Path) -> ProjectPaths:
    """The results of three seeds."""
    paths = ProjectPaths(tmp_path)
    for number, accuracy in enumerate((0.9, 0.95, 0.97), start=1):
        run = paths.run(f"mlp_{number}", "digits")
        trained = {"parameters": 5, "multiply_adds": 7, "epochs": 2 + number, "best_epoch": number, "examples": 1}
        files.write_json(run.training, trained)
        files.write_json(run.scores, {"accuracy": accuracy, "images": 3.0} | ({"nll": 0.5} if number == 1 else {}))
    return paths


def test_a_row_holds_the_results_of_its_runs(paths: ProjectPaths) -> None:
    (row,) = aggregate.compare("vision", settings(mlp_1={}, mlp_2={"seed": 2}, mlp_3={"seed": 3}).runs, paths)
    assert (row.name, row.runs, row.network, row.dataset) == ("mlp", ("mlp_1", "mlp_2", "mlp_3"), "mlp", "digits")
    assert (row.parameters, row.multiply_adds) == (5, 7)
    assert (row.epochs, row.best_epochs) == ([3, 4, 5], [2, 3, 4])
    deviation = statistics.stdev([0.9, 0.95, 0.97])
    assert row.scores["accuracy"] == Spread(pytest.approx(0.94), pytest.approx(deviation), 3)


def test_a_score_is_of_all_seeds_or_absent_and_one_of_the_headline(paths: ProjectPaths) -> None:
    (row,) = aggregate.compare("vision", settings(mlp_1={}, mlp_2={"seed": 2}).runs, paths)
    assert set(row.scores) == {"accuracy"}


def test_runs_without_results_have_their_size_and_the_epochs_of_the_params() -> None:
    runs = settings(mlp_1={}, mlp_2={"seed": 2}, other={"train": {"epochs": 9}}).runs
    sizes = {"mlp_1": Size(5, 7), "mlp_2": Size(5, 7), "other": Size(6, 8)}
    first, second = aggregate.planned("vision", runs, sizes)
    assert (first.name, first.runs, first.epochs, first.scores) == ("mlp", ("mlp_1", "mlp_2"), [2, 2], {})
    assert (second.name, second.parameters, second.multiply_adds, second.epochs) == ("other", 6, 8, [9])
    assert aggregate.planned("language", runs, sizes) == []


def test_a_run_with_several_seeds_has_the_scores_of_all_of_them(paths: ProjectPaths) -> None:
    scores = SeedScores((1, 7), {"accuracy": (0.9, 0.8), "nll": (0.5, 0.25)})
    files.write_json(paths.run("mlp_1", "digits").seed_scores, scores.to_json())
    (row,) = aggregate.compare("vision", settings(mlp_1={"seeds": [1, 7]}).runs, paths)
    assert row.scores["accuracy"] == Spread(pytest.approx(0.85), pytest.approx(0.005**0.5), 2)
    assert f"{row.scores['nll']:.2f}" == "0.38 ± 0.18 (2)"
    assert row.epochs == [3]


def test_runs_that_differ_in_their_list_of_seeds_alone_are_one() -> None:
    assert groups(mlp_1={"seeds": [1, 2]}, mlp_3={"seed": 3}) == {"mlp": ["mlp_1", "mlp_3"]}


def test_scores_of_make_seeds_count_while_the_run_is_the_one_that_it_measured(paths: ProjectPaths) -> None:
    run = paths.run("mlp_1", "digits")
    files.write_json(paths.seeds, {"mlp_1": {"scores": [0.9, 0.7], "seeds": 2}})
    assert seed_scores.read_or_measured(paths, run, "vision") == SeedScores((1, 2), {"accuracy": (0.9, 0.7)})
    files.write_json(paths.seeds, {"mlp_1": {"scores": [0.89, 0.7], "seeds": 2}})
    assert seed_scores.read_or_measured(paths, run, "vision") is None
    of_pipeline = SeedScores((1, 7), {"accuracy": (0.9, 0.8)})
    files.write_json(run.seed_scores, of_pipeline.to_json())
    assert seed_scores.read_or_measured(paths, run, "vision") == of_pipeline
