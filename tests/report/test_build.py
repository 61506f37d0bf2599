"""The report from small hand-made files: right numbers, links that lead somewhere, the same bytes each time."""

import re
import shutil
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.data.prepared import DuplicateCounts, LanguageFacts, VisionFacts
from cvnlp.params import Params, read_params
from cvnlp.params.processing import Decoding
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import build, details, picture_grid
from cvnlp.report.elements import Element, Section, Text, single_figure
from cvnlp.report.results import Results
from make_attacked import write_attacked
from report_contents import columns, figures, numbers, samples, tables, texts, walk, words

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
    "rules": {"accuracy": 0.5, "error_rate": 0.5, "nll": 1.25, "ece": 0.0625, "macro_f1": 0.4375, "images": 4},
    "cnn": {"accuracy": 0.75, "error_rate": 0.25, "nll": 0.5, "ece": 0.125, "macro_f1": 0.625, "images": 4},
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


COPIES = DuplicateCounts(
    within={"train": 1, "validation": 0, "test": 0}, across={"train-test": 2}, dropped={"train": 3}
)
ORIGIN = {"source": "made", "licence": "free to use", "citation": "Someone, 1999.", "duplicates": COPIES, "arrays": {}}


def write_data(paths: ProjectPaths) -> None:
    """What `prepare` leaves of ten classes of digits, and of a text of five characters."""
    digits, plays = paths.prepared("digits"), paths.prepared("cnn_plays")
    prepared.save_array(digits, "train_images", np.full((100, 6, 6, 1), 128, np.uint8))
    prepared.save_array(digits, "train_labels", np.arange(100, dtype=np.uint8) % 10)
    prepared.save_array(digits, "test_images", np.full((4, 6, 6, 1), 128, np.uint8))
    counts = {split: {str(digit): 10 for digit in range(10)} for split in prepared.SPLITS}
    shown = {"classes": list("0123456789"), "shape": [6, 6, 1], "mean": [0.5], "std": [0.25], "counts": counts}
    shown |= {"decoding": Decoding(colour="grey")}
    prepared.save_facts(digits, VisionFacts(**ORIGIN, **shown, conflicting=2, read=100, skipped=7))
    prepared.save_array(plays, "train", np.array([1, 2, 3, 1, 2, 4], np.uint16))
    files.write_json(plays / "vocabulary.json", ["<unk>", "t", "o", " ", "\n"])
    sizes = ("documents", "lines", "characters", "counts", "unknown", "longest_line")
    text = {name: dict.fromkeys(prepared.SPLITS, 1) for name in sizes}
    text |= {name: dict.fromkeys(prepared.SPLITS, 0.5) for name in ("coverage", "out_of_vocabulary")}
    text |= {"tokens": "characters", "token_kind": "characters", "lowercase": True, "types": 4, "vocabulary_size": 5}
    text |= {"start": 4, "frequent": [("t", 2), ("\n", 1)], "repeated_lines": {"validation": 0.25, "test": 0.125}}
    prepared.save_facts(plays, LanguageFacts(**ORIGIN, **text))


def write_vision(run: RunPaths, *, mistakes: bool, attacked: bool) -> None:
    classes = [str(digit) for digit in range(10)]
    one = {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "average_precision": 0.75, "images": 1}
    write_csv(run.evaluation / "classes.csv", [{"class": name} | one for name in classes])
    ends = [{"recall": 0.0, "precision": 1.0}, {"recall": 1.0, "precision": 0.1}]
    write_csv(run.evaluation / "curves.csv", [{"class": name} | end for name in classes for end in ends])
    write_csv(run.evaluation / "confusion.csv", [dict.fromkeys(classes, 1) for _ in classes])
    write_csv(run.evaluation / "calibration.csv", [{"bin": 9, "images": 4, "confidence": 0.95, "accuracy": 0.75}])
    table = pd.DataFrame({"index": [2], "actual": ["3"], "predicted": ["8"], "confidence": [0.9]})
    table.head(int(mistakes)).to_csv(run.evaluation / "mistakes.csv", index=False)
    table.head(1).assign(index=0, actual="3", predicted="3").to_csv(run.evaluation / "predictions.csv", index=False)
    prepared.save_array(run.evaluation, "mistakes", np.full((int(mistakes), 6, 6, 1), 99, np.uint8))
    write_attacked(run.attacked, examples=2 if attacked else 0)
    methods = ("random", "fgsm", "pgd", "worst_case")
    write_csv(run.attack_table, [{"method": name, "eps": 0.1, "accuracy": 0.25} for name in methods])
    files.write_json(run.attacks, {"accuracy_clean": 0.75, "images": 4})


def write_language(run: RunPaths) -> None:
    files.write_json(run.evaluation / "samples.json", {"temperature": 0.8, "texts": ["To be.\nOr not.\n"]})
    excerpt = {"tokens": list("To be.\nOr"), "nats": [1.5] * 9, "token_kind": "characters", "line_end": "\n"}
    files.write_json(run.evaluation / "excerpt.json", excerpt)
    for name, text in {"clean": "to be", "random": "tx be", "hotflip": "to bx", "share": np.array(0.1)}.items():
        prepared.save_array(run.attacked, name, np.array(text))
    write_csv(
        run.attack_table, [{"method": name, "share": 0.1, "perplexity": 9.0} for name in ("random", "worst_case")]
    )
    files.write_json(run.attacks, {"perplexity_clean": 4.0, "tokens": 9})


def write_results(run: RunPaths, scores: Mapping[str, float], training: Mapping[str, int]) -> None:
    files.write_json(run.scores, dict(scores))
    files.write_json(run.training, dict(training))
    files.write_text(run.model / "model.safetensors", "weights")
    run.history.parent.mkdir(parents=True, exist_ok=True)
    columns = ["epoch", "step", "validation_nll", "validation_accuracy"]
    rows = [[epoch, 10 + epoch, 1.0 / (epoch + 1), 0.5] for epoch in range(training["epochs"])]
    pd.DataFrame(rows, columns=columns).to_csv(run.history, index=False)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ProjectPaths:
    """A project with params.yaml and what the stages before would have written for its four runs."""
    paths = ProjectPaths(tmp_path_factory.mktemp("report"))
    files.write_text(paths.params, PARAMS)
    write_data(paths)
    runs = {run: paths.run(run, "digits" if run in ("rules", "cnn") else "cnn_plays") for run in SCORES}
    for name, run in runs.items():
        write_results(run, SCORES[name], TRAINING[name])
    write_vision(runs["rules"], mistakes=True, attacked=True)
    write_vision(runs["cnn"], mistakes=False, attacked=False)
    write_language(runs["cnn_plays"])
    write_language(runs["train"])
    return paths


@pytest.fixture(scope="module", autouse=True)
def sections_of_insight() -> Iterator[None]:
    """A figure and a sentence instead of the sections of insight, which have tests of their own."""

    def draw(words: str, folder: Path) -> list[Element]:
        picture_grid.draw_pictures([[np.zeros((2, 2, 1))]], [["learned"]], folder / "learned.png", title="Learned")
        return [Text(words), single_figure("Learned", "Nothing to see.", folder / "learned.png", "A black square")]

    def insight_section(details: Path, folder: Path) -> list[Element]:
        return draw(f"Learned by {details.name}.", folder)

    def comparison_section(learned: dict[str, Path], groups: dict[str, str], folder: Path) -> list[Element]:
        runs, datasets = ", ".join(path.name for path in learned.values()), ", ".join(set(groups.values()))
        return draw(f"Learned by {runs} on {datasets}.", folder)

    def chapters(results: Results) -> list[Section]:
        figures = results.shown(results.runs[0], "learned.png")
        return [Section("A chapter", figures, id=f"chapter-{results.runs[0].name}")]

    def findings(results: Results) -> list[str]:
        return [f"Found in {', '.join(run.name for run in results.runs)}."]

    with pytest.MonkeyPatch.context() as patch:
        for half in domains.HALVES:
            patch.setattr(domains.DOMAINS[half].report, "insight_section", insight_section)
            patch.setattr(domains.DOMAINS[half].report, "comparison_section", comparison_section)
            patch.setattr(domains.DOMAINS[half].report, "chapters", chapters)
            patch.setattr(domains.DOMAINS[half].report, "findings", findings)
        yield


@pytest.fixture(scope="module")
def settings(paths: ProjectPaths) -> Params:
    return read_params(paths.params)


@pytest.fixture(scope="module")
def report(settings: Params, paths: ProjectPaths) -> Section:
    return build.build_report(settings, paths).whole


class Page(HTMLParser):
    """Addresses of links, ids, and the number of embedded figures of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        if tag == "img":
            assert values["src"].startswith("data:image/png;base64,")
            assert "alt" in values and values["width"] and values["height"]
            self.images += 1


@pytest.fixture(scope="module")
def written(settings: Params, paths: ProjectPaths) -> str:
    """The report as a page."""
    build.write_report(settings, paths)
    return paths.report_page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written: str) -> Page:
    return Page(written)


def copy_project(paths: ProjectPaths, folder: Path) -> ProjectPaths:
    """The same inputs in another folder, without a report."""
    shutil.copytree(paths.root, folder, ignore=shutil.ignore_patterns("figures", "report.md", "report.html"))
    return ProjectPaths(folder)


def runs_of(settings: Params, half: str) -> list[str]:
    return [name for name, run in settings.runs.items() if run.domain == half]


def overview(half: str, settings: Params, paths: ProjectPaths) -> dict[str, list[str]]:
    return columns(details.overview_table(half, runs_of(settings, half), settings, paths))


def identified(report: Section, name: str) -> Section:
    (found,) = [one for one in walk(report.elements) if isinstance(one, Section) and one.id == name]
    return found


@pytest.mark.parametrize("half", domains.HALVES)
def test_every_run_has_a_row(half: str, settings: Params, paths: ProjectPaths) -> None:
    runs, table = runs_of(settings, half), overview(half, settings, paths)
    assert table["run"] == runs
    assert table["network"] == [settings.runs[run].model.name for run in runs]
    assert table["data"] == [settings.runs[run].dataset for run in runs]


@pytest.mark.parametrize("half", domains.HALVES)
def test_the_numbers_of_a_row_are_those_of_the_run(half: str, settings: Params, paths: ProjectPaths) -> None:
    runs, table = runs_of(settings, half), overview(half, settings, paths)
    for name, (title, _) in domains.DOMAINS[half].metrics.HEADLINE.items():
        if not any(name in SCORES[run] for run in runs):
            assert title not in table
            continue
        for run, shown in zip(runs, table[title], strict=True):
            if name in SCORES[run]:
                assert float(shown.replace(",", "")) == pytest.approx(SCORES[run][name], rel=1e-3)
            else:
                assert shown == ""


def test_numbers_are_short(settings: Params, paths: ProjectPaths) -> None:
    table = overview("language", settings, paths)
    assert table["perplexity"] == ["4.4817", "1,808.0"]
    assert table["parameters"] == ["1,000", "999"]


def test_the_best_epoch_is_counted_from_1(settings: Params, paths: ProjectPaths) -> None:
    assert overview("vision", settings, paths)["epochs (best)"] == ["none", "2 (2)"]


def test_runs_that_differ_only_in_their_seed_are_one_row(settings: Params, paths: ProjectPaths, tmp_path: Path) -> None:
    again = settings.runs["cnn"].model_copy(update={"seed": 2})
    repeated = Params(datasets=settings.datasets, runs=settings.runs | {"cnn_2": again})
    project = copy_project(paths, tmp_path / "seeds")
    write_results(
        project.run("cnn_2", "digits"), SCORES["cnn"] | {"accuracy": 0.85}, TRAINING["cnn"] | {"best_epoch": 0}
    )
    table = overview("vision", repeated, project)
    assert table["run"] == ["rules", "cnn: cnn, cnn_2"]
    assert table["accuracy"] == ["0.5000", "0.8000 ± 0.0707 (2)"]
    assert table["epochs (best)"] == ["none", "2 (1, 2)"]


def test_every_link_leads_to_a_file_or_a_part_of_the_page(page: Page, paths: ProjectPaths) -> None:
    assert len(page.links) >= 20
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (paths.report_page.parent / link.partition("#")[0]).is_file(), link


def test_the_page_needs_no_other_file(written: str) -> None:
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?!data:)", written)
    assert "@import" not in written and "url(" not in written


def test_every_figure_is_shown_once(report: Section, paths: ProjectPaths) -> None:
    drawn = set(paths.figures.rglob("*.png"))
    assert {image.path for figure in figures(report.elements) for image in figure.images} == drawn


def test_a_figure_of_a_chapter_is_not_repeated(written: str) -> None:
    assert written.count('alt="A black square"') == len(SCORES) + len(domains.HALVES)  # runs and comparisons
    assert written.count('<p class="again">Learned:') == len(domains.HALVES)


@pytest.mark.parametrize("figure", ["mistakes", "adversarial_examples"])
def test_a_run_without_mistakes_or_examples_of_attacks_shows_none(report: Section, figure: str) -> None:
    paths = [image.path for shown in figures(report.elements) for image in shown.images]
    assert [path.parent.name for path in paths if path.stem == figure] == ["rules"]


def test_links_to_params_point_at_the_line_of_the_block(page: Page, settings: Params) -> None:
    lines = PARAMS.splitlines()
    numbers_ = [int(link.partition("#L")[2]) for link in page.links if "params.yaml" in link]
    named = [*settings.datasets, *runs_of(settings, "vision"), *runs_of(settings, "language")]
    assert [lines[number - 1].split(":")[0].strip() for number in numbers_] == named


def test_the_short_report_has_the_findings_the_table_and_figures_that_exist(written: str, paths: ProjectPaths) -> None:
    short = paths.report.read_text(encoding="utf-8")
    assert "Found in rules, cnn." in short and "Found in cnn\\_plays, train." in short.replace(
        "cnn_plays", "cnn\\_plays"
    )
    assert "| rules " in short
    links = re.findall(r"\]\(([^)]+)\)", short)
    assert links and all((paths.report.parent / link).is_file() for link in links)
    assert len(short.splitlines()) < 100


def test_generated_and_attacked_texts_are_in_the_report(report: Section) -> None:
    found = [sample.text for sample in samples(report.elements)]
    assert found.count("To be.\nOr not.\n") == 2
    assert [found.count(text) for text in ("to be", "tx be", "to bx")] == [2, 2, 2]


def test_the_card_of_pictures_states_the_facts(report: Section) -> None:
    card = identified(report, "data-digits").elements
    assert "Source: made. Licence: free to use. Someone, 1999." in texts(card)
    assert numbers(card) == {
        "within train": "1",
        "across train-test": "2",
        "dropped": "3",
        "read": "100",
        "unusable, listed in skipped.csv": "7",
        "classes": "10",
        "image size": "6 x 6 pixels",
        "channels": "1",
        "mean of the training pixels in [0, 1], by channel": "0.5000",
        "standard deviation, by channel": "0.2500",
        "images that occur in more than one class": "2",
    }
    counts = columns(tables(card)["Images by class and split"])
    assert (counts["class"][-1], counts["train"][-1]) == ("all", "100")


def test_the_card_of_texts_states_the_facts(report: Section) -> None:
    card = identified(report, "data-cnn_plays").elements
    found = numbers(card)
    assert found["tokens"] == "characters, in lower case"
    assert (found["distinct tokens in the training text"], found["vocabulary, with <unk>"]) == ("4", "5")
    assert [value for name, value in found.items() if "also occur" in name] == ["25.0%", "12.5%"]
    assert "Most frequent training tokens: t 2, line end 1." in texts(card)
    assert [sample.text for sample in samples(card)] == ["to to\n"]
    assert columns(tables(card)["Texts by split"])["in the vocabulary"] == ["50.00%"] * 3


def test_insight_of_every_run_is_shown(report: Section, settings: Params) -> None:
    found = re.findall(r"Learned by (\w+)\.", words(report.elements))
    assert found == [*runs_of(settings, "vision"), *runs_of(settings, "language")]


def test_the_insights_of_a_half_are_compared(report: Section) -> None:
    found = [text for text in texts(report.elements) if text.startswith("Learned by") and " on " in text]
    assert found == ["Learned by rules, cnn on digits.", "Learned by cnn_plays, train on cnn_plays."]


def test_the_cards_come_before_the_runs_that_use_them(report: Section) -> None:
    parts = [element for element in report.elements if isinstance(element, Section)]
    assert [part.id for part in parts] == [
        "summary",
        "chapters-vision",
        "chapters-language",
        "data",
        "vision",
        "language",
    ]
    inner = [element.title for part in parts[3:] for element in part.elements if isinstance(element, Section)]
    assert inner == ["digits", "cnn_plays", "rules", "cnn", "cnn_plays", "train"]


def test_written_twice_the_report_and_its_figures_are_the_same_bytes(
    settings: Params, paths: ProjectPaths, written: str, tmp_path: Path
) -> None:
    again = copy_project(paths, tmp_path / "again")
    build.write_report(settings, again)
    assert again.report_page.read_text(encoding="utf-8") == written
    assert again.report.read_bytes() == paths.report.read_bytes()
    first, second = (
        {path.relative_to(project.figures): path.read_bytes() for path in project.figures.rglob("*.png")}
        for project in (paths, again)
    )
    assert first == second


@pytest.mark.parametrize("half", domains.HALVES)
def test_a_half_without_runs_has_no_section(half: str, settings: Params, paths: ProjectPaths) -> None:
    runs = {name: run for name, run in settings.runs.items() if run.domain == half}
    report = build.build_report(Params(datasets=settings.datasets, runs=runs), paths)
    assert [part.id for part in report.chapters] == [f"chapters-{half}"]
    assert [part.id for part in report.details] == ["data", half]
    assert [part.title for part in report.details[1].elements if isinstance(part, Section)] == list(runs)


def test_a_report_of_untrained_networks_has_no_learning_curves(
    settings: Params, paths: ProjectPaths, tmp_path: Path
) -> None:
    only = Params(datasets=settings.datasets, runs={"rules": settings.runs["rules"]})
    project = copy_project(paths, tmp_path / "untrained")
    build.write_report(only, project)
    assert not list(project.figures.rglob("learning.png"))
