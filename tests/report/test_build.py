"""The report from small hand-made files: right numbers, links that lead somewhere, the same bytes each time."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.params import Params, read_params
from cvnlp.report import build, plots
from cvnlp.report.build import Inputs

PARAMS = """\
# what to prepare
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 500}
  cnn_plays:
    {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}

# what to train
runs:
  rules:
    {domain: vision, dataset: digits, seed: 1, model: {name: rules}, train: {epochs: 0}, evaluate: {},
     attack: {eps: [0.1]}, insight: {}}
# a remark at the margin
  cnn:
    domain: vision
    dataset: digits
    seed: 1
    model: {name: cnn}
    train: {epochs: 2}
    evaluate: {}
    attack: {eps: [0.1]}
    insight: {}
  cnn_plays:
    domain: language
    dataset: cnn_plays
    seed: 1
    model: {name: lstm}
    train: {epochs: 2}
    evaluate: {}
    attack: {shares: [0.1]}
    insight: {}
  train:
    domain: language
    dataset: cnn_plays
    seed: 1
    model: {name: rnn}
    train: {epochs: 2}
    evaluate: {}
    attack: {shares: [0.1]}
    insight: {}
"""
SCORES: dict[str, dict[str, float]] = {
    "rules": {"accuracy": 0.5, "error_rate": 0.5, "nll": 1.25, "ece": 0.0625, "macro_f1": 0.4375, "pictures": 4},
    "cnn": {"accuracy": 0.75, "error_rate": 0.25, "nll": 0.5, "ece": 0.125, "macro_f1": 0.625, "pictures": 4},
    "cnn_plays": {"nats_per_token": 1.5, "perplexity": 4.4817, "bits_per_character": 2.164, "tokens": 9},
    "train": {"nats_per_token": 7.5, "perplexity": 1808.04, "perplexity_cache": 1200.5, "tokens": 9},
}
TRAINING = {
    "rules": {"parameters": 0, "multiply_adds": 0, "epochs": 0, "best_epoch": 0, "examples": 0},
    "cnn": {"parameters": 114314, "multiply_adds": 9, "epochs": 2, "best_epoch": 1, "examples": 8},
    "cnn_plays": {"parameters": 1000, "multiply_adds": 9, "epochs": 2, "best_epoch": 0, "examples": 8},
    "train": {"parameters": 999, "multiply_adds": 9, "epochs": 2, "best_epoch": 0, "examples": 8},
}


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


COPIES = {"within": {"train": 1, "validation": 0, "test": 0}, "across": {"train-test": 2}, "dropped": {"train": 3}}
ABOUT = {"source": "made", "licence": "free to use", "citation": "Someone, 1999.", "duplicates": COPIES}


def write_data(prepared_folder: Path) -> None:
    """What `prepare` leaves of ten classes of digits, and of a text of five characters."""
    digits, plays = prepared_folder / "digits", prepared_folder / "cnn_plays"
    prepared.save_array(digits, "train_images", np.full((100, 6, 6, 1), 128, np.uint8))
    prepared.save_array(digits, "train_labels", np.arange(100, dtype=np.uint8) % 10)
    counts = {split: {str(digit): 10 for digit in range(10)} for split in prepared.SPLITS}
    shown = {"classes": list("0123456789"), "shape": [6, 6, 1], "mean": [0.5], "std": [0.25], "counts": counts}
    files.write_json(digits / "facts.json", ABOUT | shown | {"conflicting": 2, "read": 100, "skipped": 7})
    prepared.save_array(plays, "train", np.array([1, 2, 3, 1, 2, 4], np.uint16))
    files.write_json(plays / "vocabulary.json", ["<unk>", "t", "o", " ", "\n"])
    each = {name: dict.fromkeys(prepared.SPLITS, 1) for name in ("documents", "lines", "characters", "counts")}
    shares = {name: dict.fromkeys(prepared.SPLITS, 0.5) for name in ("coverage", "out_of_vocabulary")}
    text = {
        "tokens": "characters",
        "token_kind": "characters",
        "lowercase": True,
        "types": 4,
        "vocabulary_size": 5,
        "start": 4,
        "frequent": [["t", 2], ["\n", 1]],
        "repeated_lines": {"validation": 0.25, "test": 0.125},
    }
    files.write_json(plays / "facts.json", ABOUT | text | each | shares)


def write_vision(inputs: Inputs, run: str, mistakes: bool, flips: bool) -> None:
    classes = [str(digit) for digit in range(10)]
    details = inputs.details / run
    one = {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "average_precision": 0.75, "pictures": 1}
    write_csv(details / "classes.csv", [{"class": name} | one for name in classes])
    ends = [{"recall": 0.0, "precision": 1.0}, {"recall": 1.0, "precision": 0.1}]
    write_csv(details / "curves.csv", [{"class": name} | end for name in classes for end in ends])
    write_csv(details / "confusion.csv", [dict.fromkeys(classes, 1) for _ in classes])
    write_csv(details / "calibration.csv", [{"bin": 9, "pictures": 4, "confidence": 0.95, "accuracy": 0.75}])
    table = pd.DataFrame({"index": [2], "actual": ["3"], "predicted": ["8"], "confidence": [0.9]})
    table["probability_of_actual"] = 0.05
    table.head(int(mistakes)).to_csv(details / "mistakes.csv", index=False)
    prepared.save_array(details, "mistakes", np.full((int(mistakes), 6, 6, 1), 99, np.uint8))
    if flips:
        pictures = {"clean": np.full((2, 6, 6, 1), 0.5), "attacked": np.full((2, 6, 6, 1), 0.6)}
        words = {"before": np.array(["1", "2"]), "after": np.array(["7", "3"]), "eps": np.array(0.1)}
        for name, array in (pictures | words).items():
            prepared.save_array(inputs.examples / run, name, array)
    rows = [{"method": method, "eps": 0.1, "accuracy": 0.25} for method in ("random", "fgsm", "pgd")]
    write_csv(inputs.attacks / f"{run}.csv", rows)
    files.write_json(inputs.attacks / f"{run}.json", {"accuracy_clean": 0.75, "pictures": 4})


def write_language(inputs: Inputs, run: str) -> None:
    files.write_json(inputs.details / run / "samples.json", {"temperature": 0.8, "texts": ["To be.\nOr not.\n"]})
    excerpt = {"tokens": list("To be.\nOr"), "nats": [1.5] * 9, "token_kind": "characters", "line_end": "\n"}
    files.write_json(inputs.details / run / "excerpt.json", excerpt)
    for name, text in {"clean": "to be", "random": "tx be", "hotflip": "to bx", "share": np.array(0.1)}.items():
        prepared.save_array(inputs.examples / run, name, np.array(text))
    rows = [{"method": method, "share": 0.1, "perplexity": 9.0} for method in ("random", "hotflip")]
    write_csv(inputs.attacks / f"{run}.csv", rows)
    files.write_json(inputs.attacks / f"{run}.json", {"perplexity_clean": 4.0, "tokens": 9})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def inputs(folder: Path) -> Inputs:
    """What the stages before would have written for the four runs of PARAMS."""
    names = ("prepared", "training", "history", "scores", "attacks", "insights", "details", "examples", "learned")
    made = Inputs(*(folder / "in" / name for name in names))
    write_data(made.prepared)
    for run, scores in SCORES.items():
        files.write_json(made.scores / f"{run}.json", scores)
        files.write_json(made.training / f"{run}.json", TRAINING[run])
        epochs = range(TRAINING[run]["epochs"])
        columns = ["epoch", "step", "validation_nll", "validation_accuracy"]
        history = pd.DataFrame([[epoch, 10 + epoch, 1.0 / (epoch + 1), 0.5] for epoch in epochs], columns=columns)
        made.history.mkdir(exist_ok=True)
        history.to_csv(made.history / f"{run}.csv", index=False)
    write_vision(made, "rules", mistakes=True, flips=True)
    write_vision(made, "cnn", mistakes=False, flips=False)
    write_language(made, "cnn_plays")
    write_language(made, "train")
    return made


@pytest.fixture(scope="module", autouse=True)
def sections_of_insight() -> Iterator[None]:
    """In the place of those that tests of their own make from networks: a figure, and a word of where it is from."""

    def draw(details: Path, folder: Path) -> list[str]:
        plots.draw_pictures([[np.zeros((2, 2, 1))]], [["learned"]], folder / "learned.png")
        return [f"Learned by {details.name}.", "", "![Learned]({folder}/learned.png)", ""]

    def compare(learned: dict[str, Path], groups: dict[str, str], folder: Path) -> dict[str, Path]:
        plots.draw_pictures([[np.zeros((2, 2, 1))]], [["learned"]], folder / "learned.png")
        caption = f"Learned by {', '.join(path.name for path in learned.values())} on {', '.join(set(groups.values()))}"
        return {caption: folder / "learned.png"}

    with pytest.MonkeyPatch.context() as patch:
        for half in domains.HALVES:
            patch.setattr(domains.DOMAINS[half].report, "draw_insight", draw)
            patch.setattr(domains.DOMAINS[half].report, "draw_comparison", compare)
        yield


@pytest.fixture(scope="module")
def params(folder: Path) -> Path:
    path = folder / "params.yaml"
    path.write_text(PARAMS)
    return path


@pytest.fixture(scope="module")
def settings(params: Path) -> Params:
    return read_params(params)


def write(settings: Params, params: Path, inputs: Inputs, out: Path) -> str:
    build.write_report(settings, params, inputs, out / "figures", out / "report.md")
    return (out / "report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(settings: Params, params: Path, inputs: Inputs, folder: Path) -> str:
    return write(settings, params, inputs, folder / "reports")


def runs_of(settings: Params, half: str) -> list[str]:
    return [name for name, run in settings.runs.items() if run.domain == half]


@pytest.mark.parametrize("half", domains.HALVES)
def test_every_run_has_a_row(half: str, settings: Params, inputs: Inputs) -> None:
    runs = runs_of(settings, half)
    table = build.table(half, runs, settings, inputs)
    assert list(table["run"]) == runs
    assert list(table["network"]) == [settings.runs[run].model.name for run in runs]
    assert list(table["data"]) == [settings.runs[run].dataset for run in runs]


@pytest.mark.parametrize("half", domains.HALVES)
def test_the_numbers_of_a_row_are_those_of_the_run(half: str, settings: Params, inputs: Inputs) -> None:
    runs = runs_of(settings, half)
    table = build.table(half, runs, settings, inputs).set_index("run")
    for name, (title, _) in domains.DOMAINS[half].metrics.HEADLINE.items():
        if not any(name in SCORES[run] for run in runs):
            assert title not in table
            continue
        for run in runs:
            shown = table.loc[run, title]
            if name in SCORES[run]:
                assert float(shown.replace(",", "")) == pytest.approx(SCORES[run][name], rel=1e-3)
            else:
                assert shown == ""


def test_numbers_are_short(settings: Params, inputs: Inputs) -> None:
    table = build.table("language", ["cnn_plays", "train"], settings, inputs)
    assert list(table["perplexity"]) == ["4.4817", "1,808.0"]
    assert list(table["parameters"]) == ["1,000", "999"]


def test_the_best_epoch_is_counted_from_1(settings: Params, inputs: Inputs) -> None:
    table = build.table("vision", ["rules", "cnn"], settings, inputs)
    assert list(table["epochs (best)"]) == ["none", "2 (2)"]


def test_runs_that_differ_in_their_seed_are_one_row(settings: Params, inputs: Inputs, tmp_path: Path) -> None:
    again = settings.runs["cnn"].model_copy(update={"seed": 2})
    repeated = Params(datasets=settings.datasets, runs=settings.runs | {"cnn_2": again})
    folders = {"scores": tmp_path / "scores", "training": tmp_path / "training"}
    for name in ("rules", "cnn"):
        files.write_json(folders["scores"] / f"{name}.json", SCORES[name])
        files.write_json(folders["training"] / f"{name}.json", TRAINING[name])
    files.write_json(folders["scores"] / "cnn_2.json", SCORES["cnn"] | {"accuracy": 0.85})
    files.write_json(folders["training"] / "cnn_2.json", TRAINING["cnn"] | {"best_epoch": 0})
    table = build.table("vision", ["rules", "cnn", "cnn_2"], repeated, dataclasses.replace(inputs, **folders))
    assert list(table["run"]) == ["rules", "cnn"]
    assert list(table["accuracy"]) == ["0.5000", "0.8000 ± 0.0707 (2)"]
    assert list(table["epochs (best)"]) == ["none", "2 (1, 2)"]


def links_of(report: str) -> list[str]:
    return re.findall(r"\]\(([^)#]+)[^)]*\)", report)


def test_every_link_leads_to_a_file(report: str, folder: Path) -> None:
    links = links_of(report)
    assert len(links) >= 10
    for link in links:
        assert (folder / "reports" / link).is_file(), link


def test_every_figure_is_shown(report: str, folder: Path) -> None:
    drawn = {path.relative_to(folder / "reports").as_posix() for path in (folder / "reports").rglob("*.png")}
    assert drawn == {link for link in links_of(report) if link.endswith(".png")}
    assert "{folder}" not in report


@pytest.mark.parametrize(("figure", "runs"), [("mistakes", ["rules"]), ("flips", ["rules"])])
def test_a_run_without_mistakes_or_flips_shows_none(report: str, figure: str, runs: list[str]) -> None:
    assert re.findall(rf"figures/(\w+)/{figure}\.png", report) == runs


def test_links_to_params_point_at_the_line_of_the_block(report: str, settings: Params) -> None:
    lines = PARAMS.splitlines()
    anchors = re.findall(r"### (\w+)\n\n\[Parameters\]\(\.\./params\.yaml#L(\d+)\)", report)
    named = [*settings.datasets, *runs_of(settings, "vision"), *runs_of(settings, "language")]
    assert [name for name, _ in anchors] == named
    assert [lines[int(number) - 1].split(":")[0].strip() for _, number in anchors] == named


def test_what_a_model_writes_stands_in_the_report(report: str) -> None:
    assert report.count("```text\nTo be.\nOr not.\n```") == 2
    for text in ("to be", "tx be", "to bx"):
        assert f"```text\n{text}\n```" in report


@pytest.mark.parametrize(
    "words",
    [
        "Source: `made`. Licence: free to use. Someone, 1999.",
        "Exact copies: 1 in train, 0 in validation, 0 in test; across splits: 2 train-test; 3 dropped.",
        "Files: 100 read, 7 unusable",
        "10 classes, 6 x 6 x 1",
        "by channel: 0.5000 ± 0.2500",
        "2 contents stand under more than one class",
        "Tokens: characters, in lower case. 4 types in train; a vocabulary of 5 with `<unk>`.",
        "25.0% of validation, 12.5% of test",
        "`t` 2, `line end` 1",
        "```text\nto to\n```",
    ],
)
def test_the_card_of_a_data_set_says(report: str, words: str) -> None:
    assert words in report


def test_what_every_run_has_learned_is_shown(report: str, settings: Params) -> None:
    assert re.findall(r"Learned by (\w+)\.", report) == [*runs_of(settings, "vision"), *runs_of(settings, "language")]


def test_what_the_runs_of_a_half_have_learned_is_shown_side_by_side(report: str) -> None:
    captions = re.findall(r"^\*(Learned by .+)\.\*$", report, re.MULTILINE)
    assert captions == ["Learned by rules, cnn on digits", "Learned by cnn_plays, train on cnn_plays"]


def test_the_cards_stand_before_the_runs_that_use_them(report: str) -> None:
    titles = re.findall(r"^## (.+)$", report, re.MULTILINE)
    assert titles == ["Data", "Image classification", "Language modelling"]


def test_written_twice_the_report_and_its_figures_are_the_same_bytes(
    settings: Params, params: Path, inputs: Inputs, report: str, folder: Path
) -> None:
    assert write(settings, params, inputs, folder / "again") == report
    first = {path.relative_to(folder / "reports"): path for path in (folder / "reports").rglob("*.*")}
    again = {path.relative_to(folder / "again"): path for path in (folder / "again").rglob("*.*")}
    assert first.keys() == again.keys()
    for name, path in first.items():
        assert path.read_bytes() == again[name].read_bytes(), name


@pytest.mark.parametrize("half", domains.HALVES)
def test_a_half_without_runs_has_no_section(half: str, settings: Params, params: Path, inputs: Inputs) -> None:
    runs = {name: run for name, run in settings.runs.items() if run.domain == half}
    text = write(Params(datasets=settings.datasets, runs=runs), params, inputs, params.parent / "half")
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == 2  # the data, and the half
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == [*settings.datasets, *runs]


def test_a_report_of_untrained_networks_draws_no_learning(settings: Params, params: Path, inputs: Inputs) -> None:
    only = Params(datasets=settings.datasets, runs={"rules": settings.runs["rules"]})
    text = write(only, params, inputs, params.parent / "untrained")
    assert "learning.png" not in text
    assert not list((params.parent / "untrained").rglob("learning.png"))
