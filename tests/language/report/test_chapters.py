"""Chapters on language modelling: chapters without a run state that, and shares of gradients are those of the runs."""

from pathlib import Path

from cvnlp.language.report import chapters, findings
from cvnlp.language.report.chapters import memory
from cvnlp.params.runs import LanguageRun
from cvnlp.paths import ProjectPaths
from cvnlp.report.elements import Link, Text
from cvnlp.report.results import Results, RunResults
from report_contents import texts, walk, words


def results(root: Path, *runs: RunResults) -> Results:
    return Results(runs, {}, ProjectPaths(root), {one.name: 7 for one in runs})


def test_a_project_without_runs_has_every_chapter_and_none_of_their_numbers(tmp_path: Path) -> None:
    found = chapters(results(tmp_path))
    assert len({section.id for section in found}) == len(found) == 7
    assert all(texts([section])[0] == "No run of params.yaml shows this." for section in found)
    assert findings(results(tmp_path)) == []


def test_long_term_dependencies_state_the_gradient_of_every_run(tmp_path: Path) -> None:
    block = {"domain": "language", "dataset": "plays", "seed": 1, "model": {"name": "rnn"}, "train": {"epochs": 1}}
    block |= {"evaluate": {}, "attack": {"shares": [0.1]}, "insight": {}}
    runs = []
    for name, share in {"short": 0.00002, "long": 0.25}.items():
        one = RunResults(name, LanguageRun.model_validate(block), ProjectPaths(tmp_path).run(name, "plays"))
        vars(one)["insights"] = {"gradient_20": share}
        runs.append(one)
    said = words([memory.long_term(results(tmp_path, *runs))])
    assert "less than 0.1% in short and 25.0% in long" in said


def test_the_code_that_chapters_name_exists() -> None:
    root = Path(__file__).parents[3]
    links = [
        span
        for element in walk(chapters(results(root)))
        if isinstance(element, Text)
        for span in element.spans
        if isinstance(span, Link) and isinstance(span.target, Path)
    ]
    assert len(links) > 5
    assert [str(link.target) for link in links if not Path(link.target).exists()] == []
