"""What differs from the last commit: main scores, with an arrow only where the change is more than chance."""

import json
from collections.abc import Mapping
from typing import Any

from cvnlp import domains, files
from cvnlp.provenance import git
from cvnlp.report.elements import Column, Element, Table, Text
from cvnlp.report.results import Results, RunResults
from cvnlp.significance.difference import Difference


def changes(halves: Mapping[str, Results]) -> list[Element]:
    """A table of the runs whose main score differs from that of the last commit; nothing outside a repository."""
    runs = [run for found in halves.values() for run in found.runs]
    before = {run.name: committed(run) for run in runs}
    known = [(run, scores) for run in runs if (scores := before[run.name]) is not None]
    if not known:
        return []
    changed = [(run, scores) for run, scores in known if scores[_score(run)] != run.score]
    if not changed:
        return [Text(f"No test score differs from the last commit ({len(known)} runs compared).")]
    columns = (
        Column("run", [run.name for run, _ in changed]),
        Column("score", [domains.DOMAINS[run.block.domain].main_score.title for run, _ in changed]),
        Column("last commit", [scores[_score(run)] for run, scores in changed], ".4f"),
        Column("now", [run.score for run, _ in changed], ".4f"),
        Column("change", [_arrow(run, scores) for run, scores in changed]),
    )
    caption = "Arrows mark changes that are more than chance (95% interval of the difference)."
    return [Table("Changes since the last commit", columns, caption)]


def committed(run: RunResults) -> dict[str, Any] | None:
    """The scores of a run as git has them; None if it has none."""
    path = run.paths.scores
    content = git(run.paths.root, "show", f"HEAD:./{path.relative_to(run.paths.root).as_posix()}")
    if content is None:
        return None
    scores: dict[str, Any] = json.loads(content)
    (details,) = scores.pop(files.DETAILS, [{}])
    return scores | details


def _score(run: RunResults) -> str:
    return domains.DOMAINS[run.block.domain].main_score.name


def _arrow(run: RunResults, before: Mapping[str, float]) -> str:
    room, score = domains.DOMAINS[run.block.domain].comparison, domains.DOMAINS[run.block.domain].main_score
    return arrow(room.unpaired_difference(run.scores, before), higher_is_better=score.higher_is_better)


def arrow(found: Difference, *, higher_is_better: bool) -> str:
    """`▲ better`, `▼ worse`, or words where the difference may be random or was not tested."""
    if found.random is None:
        return "not tested"
    if found.random:
        return "may be random"
    return "▲ better" if (found.value > 0) == higher_is_better else "▼ worse"
