"""The benchmarks' tables: own rows over seeds beside published figures, from hand-made results."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cvnlp import domains, files
from cvnlp.benchmark import build
from cvnlp.params import Params, read_params
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
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (tmp_path / "larger.yaml").write_text(LARGER, encoding="utf-8")
    (tmp_path / "published.csv").write_text(PUBLISHED, encoding="utf-8")
    for run, trained in TRAINED.items():
        files.write_json(tmp_path / "training" / f"{run}.json", trained)
        files.write_json(tmp_path / "scores" / f"{run}.json", SCORES[run])
        files.write_json(tmp_path / "durations" / f"{run}.json", MACHINE | {"seconds": SECONDS[run]})
    files.write_json(tmp_path / "timings.json", {})
    return tmp_path


def settings(folder: Path) -> Params:
    return read_params(folder / "params.yaml")


def write(folder: Path, out: str = "out") -> str:
    inputs = build.Inputs(
        folder / "training",
        folder / "scores",
        folder / "durations",
        folder / "timings.json",
        folder / "published.csv",
    )
    written, larger = folder / out, build.read_larger(folder / "larger.yaml", settings(folder))
    trained, untrained = build.split_trained(settings(folder), inputs)
    build.write_comparison(
        trained,
        inputs,
        untrained.runs | larger.runs,
        SIZES,
        report=written / "table.md",
        table=written / "table.csv",
        figures=written / "figures",
    )
    return (written / "table.md").read_text(encoding="utf-8")


def rows(text: str, dataset: str) -> dict[str, dict[str, str]]:
    """The table of a data set: first cell -> column -> cell."""
    lines = [line for line in text.split(f"### {dataset}\n")[1].split("![")[0].splitlines() if line.startswith("|")]
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {cells[0]: dict(zip(head, cells, strict=True)) for cells in body}


def add_timing(folder: Path, name: str, run: str, **changes: Any) -> None:
    timing = MACHINE | {"seconds_per_epoch": 12.34, "examples_per_second": 4321.9}
    key = build.configuration(settings(folder), run)
    files.write_json(folder / "timings.json", {name: timing | {"configuration": key} | changes})


def test_seeds_are_one_row_beside_what_was_published(folder: Path) -> None:
    table = rows(write(folder), "digits")
    assert list(table) == ["rules", "mlp", "a network"]
    assert table["mlp"]["accuracy, %"] == "96.50 ± 0.71 (2)"
    assert table["mlp"]["error, %"] == "3.50 ± 0.71 (2)"
    assert table["mlp"]["parameters"] == "101,770"
    assert table["mlp"]["multiply-adds"] == "101,632"
    assert table["mlp"]["minutes of training"] == "13.3"  # 800 seconds
    assert table["mlp"]["trained on"] == "cpu, 1 of 2"
    assert table["rules"]["minutes of training"] == "0.00"
    assert table["rules"]["accuracy, %"] == "50.00"
    assert {table[name]["source"] for name in ("rules", "mlp")} == {"here"}


def test_a_published_figure_is_cited_as_it_stands(folder: Path) -> None:
    cited = rows(write(folder), "digits")["a network"]
    assert cited["error, %"] == "0.95"
    assert cited["parameters"] == "about 60k"
    assert cited["accuracy, %"] == ""
    assert cited["source"] == "Someone, 1998"


def test_language_models_stand_in_a_table_of_the_same_kind(folder: Path) -> None:
    table = rows(write(folder), "plays")
    assert table["lstm"]["perplexity"] == "4.50"
    assert table["lstm"]["bits per character"] == "2.25"
    assert table["lstm"]["nats per token"] == "1.50"
    assert table["lstm"]["minutes of training"] == "1.00"
    assert table["another"]["perplexity"] == "82.7"


def test_scores_that_adapt_to_the_text_stand_apart_from_the_static_ones(folder: Path) -> None:
    files.write_json(folder / "scores/lstm.json", SCORES["lstm"] | {"perplexity_cache": 4.25})
    published = PUBLISHED + "plays,with a cache,,perplexity_cache,52.8,Somebody 2018\n"
    (folder / "published.csv").write_text(published, encoding="utf-8")
    table = rows(write(folder), "plays")
    assert (table["lstm"]["perplexity"], table["lstm"]["perplexity, continuous cache"]) == ("4.50", "4.25")
    cited = table["with a cache"]
    assert (cited["perplexity"], cited["perplexity, continuous cache"]) == ("", "52.8")
    assert "perplexity, dynamic evaluation" not in cited


def test_what_waits_for_a_larger_machine_is_not_run_in_all_that_a_training_tells(folder: Path) -> None:
    add_timing(folder, "lstm", "lstm")
    large = rows(write(folder), "plays")["large"]
    known = {"run": "large", "network": "lstm", "parameters": "66,034,000", "multiply-adds": "51,000,000"}
    known |= {"epochs": "55", "source": "here"}
    assert {column: cell for column, cell in large.items() if cell != "not run"} == known
    assert {"perplexity", "bits per character", "tokens per second", "minutes of training"} <= large.keys() - known


def test_what_no_seed_has_trained_yet_is_not_run(folder: Path) -> None:
    for run in ("mlp_1", "mlp_2"):
        (folder / f"scores/{run}.json").unlink()
    table = rows(write(folder), "digits")
    assert (table["mlp"]["accuracy, %"], table["mlp"]["parameters"]) == ("not run", "101,770")
    assert table["rules"]["accuracy, %"] == "50.00"


def test_seeds_that_are_trained_count_without_the_others(folder: Path) -> None:
    (folder / "scores/mlp_1.json").unlink()
    table = rows(write(folder), "digits")
    assert table["mlp_2"]["accuracy, %"] == "97.00"
    assert "mlp" not in table
    assert "mlp_1" not in table


def test_a_data_set_of_which_nothing_is_run_has_a_table_and_no_figure(folder: Path) -> None:
    params = PARAMS.replace("dataset: plays", "dataset: others").replace(
        "runs:\n", PARAMS.split("\n")[2].replace("plays", "others") + "\nruns:\n"
    )
    (folder / "params.yaml").write_text(params, encoding="utf-8")
    text = write(folder)
    assert rows(text, "plays")["large"]["perplexity"] == "not run"
    assert not (folder / "out/figures/plays.png").exists()
    assert "figures/plays.png" not in text


def test_what_is_trained_cannot_wait_too(folder: Path) -> None:
    (folder / "larger.yaml").write_text(LARGER.replace("large_2", "lstm"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"larger\.yaml: runs\.lstm .*params\.yaml"):
        write(folder)


@pytest.mark.parametrize(("before", "after"), [("tokens: characters", "tokens: words"), ("plays", "verses")])
def test_what_waits_is_of_the_data_that_is_prepared(folder: Path, before: str, after: str) -> None:
    (folder / "larger.yaml").write_text(LARGER.replace(before, after), encoding="utf-8")
    with pytest.raises(ValueError, match=r"larger\.yaml: datasets\.(plays|verses) is not that of params\.yaml"):
        write(folder)


def test_figures_of_data_sets_that_are_not_trained_are_left_out(folder: Path) -> None:
    assert "a third" not in write(folder)


def test_a_half_without_runs_has_no_section(folder: Path) -> None:
    (folder / "params.yaml").write_text(PARAMS.split("  lstm:")[0], encoding="utf-8")
    (folder / "larger.yaml").write_text("datasets: {}\nruns: {}\n", encoding="utf-8")
    text = write(folder)
    assert "## Image classification" in text
    assert "## Language modelling" not in text


def test_what_nobody_knows_has_no_column(folder: Path) -> None:
    assert "seconds per epoch" not in rows(write(folder), "digits")["mlp"]


def test_seconds_per_epoch_are_shown_where_they_were_measured(folder: Path) -> None:
    add_timing(folder, "mlp", "mlp_1")
    text = write(folder)
    table = rows(text, "digits")
    assert (table["mlp"]["seconds per epoch"], table["mlp"]["pictures per second"]) == ("12.3", "4,322")
    assert table["rules"]["seconds per epoch"] == ""
    assert "Seconds per epoch:\n\n- 1 measurement: Abacus 3" in text


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
    (folder / "params.yaml").write_text(PARAMS.replace(before, after), encoding="utf-8")
    assert ("12.3" in write(folder)) == shown


def test_the_csv_has_every_score_unrounded(folder: Path) -> None:
    add_timing(folder, "mlp", "mlp_1")
    write(folder)
    table = pd.read_csv(folder / "out/table.csv").set_index("run")
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
        assert (folder / f"out/figures/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_written_twice_all_is_the_same_bytes(folder: Path) -> None:
    assert write(folder, "first") == write(folder, "again")
    for path in (folder / "first").rglob("*.*"):
        assert path.read_bytes() == (folder / "again" / path.relative_to(folder / "first")).read_bytes(), path.name


def test_machines_versions_and_commits_stand_at_the_end(folder: Path) -> None:
    other = {"processor": "Abacus 4", "seconds": 1.0, "changed": True, "date": "2025-03-01T00:00:00+00:00"}
    files.write_json(folder / "durations/lstm.json", MACHINE | other)
    lines = write(folder).split("## Machines and versions\n")[1].splitlines()
    place = "(processors: 2, threads: 1), device cpu, Linux x86_64, torch 2.0, Python 3.11"
    assert f"- 3 runs: Abacus 3 {place}; 2025-01-02 to 2025-01-02; commit 01234567" in lines
    assert f"- 1 run: Abacus 4 {place}; 2025-03-01 to 2025-03-01; commit 01234567 with changes" in lines


def test_a_metric_that_is_not_compared_is_refused_with_the_choices(folder: Path) -> None:
    (folder / "published.csv").write_text(PUBLISHED.replace("error_rate", "errors"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"published\.csv: metric 'errors' of 'a network' .*accuracy, error_rate"):
        write(folder)


def test_a_missing_column_of_the_published_figures_is_named(folder: Path) -> None:
    (folder / "published.csv").write_text(PUBLISHED.replace(",source", ",from"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"published\.csv: .*source"):
        write(folder)


@pytest.mark.parametrize("half", domains.HALVES)
def test_compared_scores_are_of_the_headline(half: str) -> None:
    scores = domains.DOMAINS[half].metrics
    assert set(scores.COMPARED) <= set(scores.HEADLINE)
