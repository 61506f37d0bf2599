"""Chapters of both halves: those without a run state that, and the code that they name exists."""

from pathlib import Path

import pytest

from cvnlp.domains import DOMAINS
from cvnlp.report.elements import Link, Text
from report_contents import results, texts, walk, words

UNRUN = "No run of params.yaml shows this."


@pytest.mark.parametrize(("half", "count", "others"), [("vision", 11, 2), ("language", 7, 0)])
def test_a_project_without_runs_has_every_chapter_and_none_of_their_numbers(
    half: str, count: int, others: int, tmp_path: Path
) -> None:
    room = DOMAINS[half].report
    found = room.chapters(results(tmp_path))
    assert len({section.id for section in found}) == len(found) == count
    unrun = [section.title for section in found if texts([section])[0] == UNRUN]
    assert len(unrun) == count - others  # the rule of colours and AlexNet have sentences of their own
    assert ("AlexNet was not run here" in words(found)) == (half == "vision")
    assert room.findings(results(tmp_path)) == []


@pytest.mark.parametrize("half", DOMAINS)
def test_the_code_that_chapters_name_exists(half: str) -> None:
    links = [
        span
        for element in walk(DOMAINS[half].report.chapters(results(Path(__file__).parents[2])))
        if isinstance(element, Text)
        for span in element.spans
        if isinstance(span, Link) and isinstance(span.target, Path)
    ]
    assert len(links) > 5
    assert [str(link.target) for link in links if not Path(link.target).exists()] == []
