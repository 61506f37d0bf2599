"""The benchmarks' tables: rows over seeds next to published results, from hand-made files."""

import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cvnlp import domains, files
from cvnlp.benchmark import build
from cvnlp.benchmark.paths import BenchmarkPaths
from cvnlp.params import Params, read_params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report.aggregate import Size

PARAMS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 500}
  plays: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}
runs:
  rules: &rules
    {domain: vision, dataset: digits, seed: 1, model: {name: rules}, train: {epochs: 0}, evaluate: {},
     attack: {eps: [0.1]}, insight: {}}
  mlp_1: &mlp {<<: *rules, model: {name: mlp}, train: {epochs: 2}}
  mlp_2: {<<: *mlp, seed: 2}
  lstm:
    {domain: language, dataset: plays, seed: 1, model: {name: lstm}, train: {epochs: 3}, evaluate: {},
     attack: {shares: [0.1]}, insight: {}}
"""
PUBLISHED = """\
dataset,what,parameters,metric,figure,source
digits,a network,about 60k,error_rate,0.95,"Someone, 1998"
plays,another,,perplexity,82.7,Somebody 2014
not trained here,a third,,accuracy,99,Anybody
"""
LARGER = """\
datasets:
  plays: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}
runs:
  large_1: &large
    {domain: language, dataset: plays, seed: 1, model: {name: lstm, hidden_size: 1500}, train: {epochs: 55},
     evaluate: {}, attack: {shares: [0.1]}, insight: {}}
  large_2: {<<: *large, seed: 2}
"""
SIZES = {"mlp_1": Size(101_770, 101_632), "mlp_2": Size(101_770, 101_632)}
SIZES |= {"large_1": Size(66_034_000, 51_000_000), "large_2": Size(66_034_000, 51_000_000)}
TRAINED = {
    "rules": {"parameters": 0, "multiply_adds": 0, "epochs": 0, "best_epoch": 0},
    "mlp_1": {"parameters": 101770, "multiply_adds": 101632, "epochs": 2, "best_epoch": 1},
    "mlp_2": {"parameters": 101770, "multiply_adds": 101632, "epochs": 2, "best_epoch": 0},
    "lstm": {"parameters": 1000, "multiply_adds": 900, "epochs": 3, "best_epoch": 2},
}
SCORES = {
    "rules": {"accuracy": 0.5, "error_rate": 0.5},
    "mlp_1": {"accuracy": 0.96, "error_rate": 0.04, "nll": 0.125},
    "mlp_2": {"accuracy": 0.97, "error_rate": 0.03, "nll": 0.25},
    "lstm": {"perplexity": 4.5, "bits_per_character": 2.25, "nats_per_token": 1.5},
}
SECONDS = {"rules": 0.0, "mlp_1": 100.0, "mlp_2": 1500.0, "lstm": 60.0}
MACHINE = {
    "processor": "Abacus 3",
    "processors": 2,
    "threads": 1,
    "device": "cpu",
    "system": "Linux x86_64",
    "torch": "2.0",
    "python": "3.11",
    "date": "2025-01-02T03:04:05+00:00",
    "commit": "0123456789abcdef",
    "changed": False,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """params.yaml, larger.yaml, published.csv and the results of all runs, none of them timed."""
    files.write_text(ProjectPaths(tmp_path).params, PARAMS)
    files.write_text(BenchmarkPaths(tmp_path).larger, LARGER)
    files.write_text(BenchmarkPaths(tmp_path).published, PUBLISHED)
    for run, trained in TRAINED.items():
        paths = paths_of(tmp_path, run)
        files.write_json(paths.training, trained)
        files.write_json(paths.scores, SCORES[run])
        files.write_json(paths.durations, MACHINE | {"seconds": SECONDS[run]})
    files.write_json(BenchmarkPaths(tmp_path).timings, {})
    return tmp_path


def paths_of(folder: Path, run: str) -> RunPaths:
    return ProjectPaths(folder).run(run, "plays" if run == "lstm" else "digits")


def settings(folder: Path) -> Params:
    return read_params(ProjectPaths(folder).params)


def write(folder: Path) -> str:
    project, paths = ProjectPaths(folder), BenchmarkPaths(folder)
    larger = build.read_larger(paths.larger, settings(folder))
    trained, untrained = build.split_trained(settings(folder), project)
    build.write_tables(trained, project, paths, untrained.runs | larger.runs, SIZES)
    return paths.report.read_text(encoding="utf-8")


def rows(text: str, dataset: str) -> dict[str, dict[str, str]]:
    """The table of a data set: first cell -> column -> cell."""
    return {row[next(iter(row))]: row for row in table(text.split(f"### {dataset}\n")[1])}


def table(text: str) -> list[dict[str, str]]:
    """The first table of a text in Markdown: a row each, column -> cell."""
    lines = itertools.takewhile(str.strip, itertools.dropwhile(lambda line: line[:1] != "|", text.splitlines()))
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(head, cells, strict=True)) for cells in body]


def add_timing(folder: Path, name: str, run: str, **changes: Any) -> None:
    timing = MACHINE | {"seconds_per_epoch": 12.34, "examples_per_second": 4321.9}
    key = build.configuration(settings(folder), run)
    files.write_json(BenchmarkPaths(folder).timings, {name: timing | {"configuration": key} | changes})


def test_seeds_are_one_row_next_to_published_results(folder: Path) -> None:
    table = rows(write(folder), "digits")
    assert list(table) == ["rules", "mlp", "a network"]
    assert table["mlp"]["accuracy, %"] == "96.50 ± 0.71 (2)"
    assert table["mlp"]["error, %"] == "3.50 ± 0.71 (2)"
    assert table["mlp"]["parameters"] == "101,770"
    assert table["mlp"]["multiply-adds"] == "101,632"
    assert table["mlp"]["minutes of training"] == "13.33"  # 800 seconds
    assert table["mlp"]["trained on"] == "cpu, 1 of 2"
    assert table["rules"]["minutes of training"] == "0.00"
    assert table["rules"]["accuracy, %"] == "50.00"
    assert {table[name]["source"] for name in ("rules", "mlp")} == {"this project"}


def test_a_published_result_is_cited_as_written(folder: Path) -> None:
    cited = rows(write(folder), "digits")["a network"]
    assert cited["error, %"] == "0.95"
    assert cited["parameters"] == "about 60k"
    assert cited["accuracy, %"] == ""
    assert cited["source"] == "Someone, 1998"


def test_language_models_have_a_table_of_the_same_form(folder: Path) -> None:
    table = rows(write(folder), "plays")
    assert table["lstm"]["perplexity"] == "4.50"
    assert table["lstm"]["bits per character"] == "2.25"
    assert table["lstm"]["nats per token"] == "1.50"
    assert table["lstm"]["minutes of training"] == "1.00"
    assert table["another"]["perplexity"] == "82.7"


def test_scores_of_adapted_models_have_columns_of_their_own(folder: Path) -> None:
    files.write_json(paths_of(folder, "lstm").scores, SCORES["lstm"] | {"perplexity_cache": 4.25})
    published = PUBLISHED + "plays,with a cache,,perplexity_cache,52.8,Somebody 2018\n"
    files.write_text(BenchmarkPaths(folder).published, published)
    table = rows(write(folder), "plays")
    assert (table["lstm"]["perplexity"], table["lstm"]["perplexity, continuous cache"]) == ("4.50", "4.25")
    cited = table["with a cache"]
    assert (cited["perplexity"], cited["perplexity, continuous cache"]) == ("", "52.8")
    assert "perplexity, dynamic evaluation" not in cited


def test_runs_for_a_larger_machine_are_not_run_in_all_columns_of_results(folder: Path) -> None:
    add_timing(folder, "lstm", "lstm")
    large = rows(write(folder), "plays")["large"]
    known = {"run": "large", "network": "lstm", "parameters": "66,034,000", "multiply-adds": "51,000,000"}
    known |= {"epochs": "55", "source": "this project"}
    assert {column: cell for column, cell in large.items() if cell != "not run"} == known
    assert {"perplexity", "bits per character", "tokens per second", "minutes of training"} <= large.keys() - known


def test_runs_without_a_trained_seed_are_not_run(folder: Path) -> None:
    for run in ("mlp_1", "mlp_2"):
        paths_of(folder, run).scores.unlink()
    table = rows(write(folder), "digits")
    assert (table["mlp"]["accuracy, %"], table["mlp"]["parameters"]) == ("not run", "101,770")
    assert table["rules"]["accuracy, %"] == "50.00"


def test_trained_seeds_are_shown_without_the_others(folder: Path) -> None:
    paths_of(folder, "mlp_1").scores.unlink()
    table = rows(write(folder), "digits")
    assert table["mlp_2"]["accuracy, %"] == "97.00"
    assert "mlp" not in table
    assert "mlp_1" not in table


def test_a_data_set_without_trained_runs_has_a_table_and_no_figure(folder: Path) -> None:
    params = PARAMS.replace("dataset: plays", "dataset: others").replace(
        "runs:\n", PARAMS.split("\n")[2].replace("plays", "others") + "\nruns:\n"
    )
    files.write_text(ProjectPaths(folder).params, params)
    text = write(folder)
    assert rows(text, "plays")["large"]["perplexity"] == "not run"
    assert not (BenchmarkPaths(folder).figures / "plays.png").exists()
    assert "figures/plays.png" not in text


def test_a_run_of_the_params_is_refused_in_the_larger_ones(folder: Path) -> None:
    files.write_text(BenchmarkPaths(folder).larger, LARGER.replace("large_2", "lstm"))
    with pytest.raises(ValueError, match=r"larger\.yaml: runs\.lstm .*params\.yaml"):
        write(folder)


@pytest.mark.parametrize(("before", "after"), [("tokens: characters", "tokens: words"), ("plays", "verses")])
def test_the_data_sets_of_the_larger_runs_are_those_of_the_params(folder: Path, before: str, after: str) -> None:
    files.write_text(BenchmarkPaths(folder).larger, LARGER.replace(before, after))
    with pytest.raises(ValueError, match=r"larger\.yaml: datasets\.(plays|verses) differs from that of params\.yaml"):
        write(folder)


def test_published_results_on_other_data_sets_are_left_out(folder: Path) -> None:
    assert "a third" not in write(folder)


def test_a_half_without_runs_has_no_section(folder: Path) -> None:
    files.write_text(ProjectPaths(folder).params, PARAMS.split("  lstm:")[0])
    files.write_text(BenchmarkPaths(folder).larger, "datasets: {}\nruns: {}\n")
    text = write(folder)
    assert "## Image classification" in text
    assert "## Language modelling" not in text


def test_a_column_without_any_value_is_left_out(folder: Path) -> None:
    assert "seconds per epoch" not in rows(write(folder), "digits")["mlp"]


def test_seconds_per_epoch_are_shown_where_they_were_measured(folder: Path) -> None:
    add_timing(folder, "mlp", "mlp_1")
    text = write(folder)
    table = rows(text, "digits")
    assert (table["mlp"]["seconds per epoch"], table["mlp"]["images per second"]) == ("12.3", "4,322")
    assert table["rules"]["seconds per epoch"] == ""
    (measured,) = rows_after(text, "Measurements of the seconds per epoch")
    assert (measured["measurements"], measured["processor"]) == ("1", "Abacus 3")


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("model: {name: mlp}", "model: {name: mlp, hidden: [64]}", False),
        ("train: {epochs: 2}", "train: {epochs: 2, batch_size: 64}", False),
        ("validation: 500", "validation: 400", False),
        ("train: {epochs: 2}", "train: {epochs: 9}", True),
        ("attack: {eps: [0.1]}", "attack: {eps: [0.2]}", True),
    ],
)
def test_seconds_of_another_configuration_are_not_shown(folder: Path, before: str, after: str, shown: bool) -> None:
    add_timing(folder, "mlp", "mlp_1")
    assert before in PARAMS
    files.write_text(ProjectPaths(folder).params, PARAMS.replace(before, after))
    assert ("12.3" in write(folder)) == shown


def test_the_csv_has_every_score_unrounded(folder: Path) -> None:
    add_timing(folder, "mlp", "mlp_1")
    write(folder)
    table = pd.read_csv(BenchmarkPaths(folder).table).set_index("run")
    assert list(table.index) == ["rules", "mlp", "lstm", "large"]
    assert tuple(table.loc["large", ["seeds", "parameters", "epochs"]]) == (0, 66_034_000, 55)
    assert pd.isna(table.loc["large", ["seconds", "perplexity"]]).all()
    mlp = table.loc["mlp"]
    assert (mlp["seeds"], mlp["nll"], mlp["seconds"], mlp["seconds_per_epoch"]) == (2, 0.1875, 800, 12.34)
    assert mlp["accuracy_std"] == pytest.approx(0.00707107)
    assert table.loc["lstm", "perplexity"] == 4.5
    assert pd.isna(table.loc["lstm", "perplexity_std"])
    assert pd.isna(table.loc["lstm", "accuracy"])


def test_each_data_set_has_a_figure_that_the_report_shows(folder: Path) -> None:
    text = write(folder)
    for name in ("digits", "plays"):
        assert f"](figures/{name}.png)" in text
        assert (BenchmarkPaths(folder).figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_written_twice_all_is_the_same_bytes(folder: Path) -> None:
    paths = BenchmarkPaths(folder)
    text = write(folder)
    drawn = {path.name: path.read_bytes() for path in (*paths.figures.iterdir(), paths.table)}
    assert write(folder) == text
    assert {path.name: path.read_bytes() for path in (*paths.figures.iterdir(), paths.table)} == drawn


def rows_after(text: str, title: str) -> list[dict[str, str]]:
    """The table with this title."""
    return table(text.split(f"**{title}.**")[1])


def test_machines_versions_and_commits_are_at_the_end(folder: Path) -> None:
    other = {"processor": "Abacus 4", "seconds": 1.0, "changed": True, "date": "2025-03-01T00:00:00+00:00"}
    files.write_json(paths_of(folder, "lstm").durations, MACHINE | other)
    first, second = rows_after(write(folder).split("## Machines and versions\n")[1], "Trainings")
    place = {"processors": "2", "threads": "1", "device": "cpu", "system": "Linux x86_64", "torch": "2.0"}
    place |= {"Python": "3.11"}
    assert first == place | {
        "measurements": "3",
        "processor": "Abacus 3",
        "from": "2025-01-02",
        "to": "2025-01-02",
        "commits": "01234567",
    }
    assert second == place | {
        "measurements": "1",
        "processor": "Abacus 4",
        "from": "2025-03-01",
        "to": "2025-03-01",
        "commits": "01234567 with changes",
    }


def test_a_metric_that_is_not_compared_is_refused_with_the_choices(folder: Path) -> None:
    files.write_text(BenchmarkPaths(folder).published, PUBLISHED.replace("error_rate", "errors"))
    with pytest.raises(ValueError, match=r"published\.csv: metric 'errors' of 'a network' .*accuracy, error_rate"):
        write(folder)


def test_a_missing_column_of_the_published_figures_is_named(folder: Path) -> None:
    files.write_text(BenchmarkPaths(folder).published, PUBLISHED.replace(",source", ",from"))
    with pytest.raises(ValueError, match=r"published\.csv: .*source"):
        write(folder)


@pytest.mark.parametrize("half", domains.HALVES)
def test_compared_scores_are_of_the_headline(half: str) -> None:
    scores = domains.DOMAINS[half].metrics
    assert set(scores.COMPARED) <= set(scores.HEADLINE)
