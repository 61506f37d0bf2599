"""The findings on image classifiers, for the summary."""

from collections.abc import Iterator

from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import percent
from cvnlp.vision.report.chapters.limits import attacked_clause, nearest_eps


def findings(results: Results) -> list[str]:
    """Which classifier is best, and what attacks leave of it."""
    runs = results.largest_group()
    best = results.best(runs)
    return [results.ranking(runs), *_attacks(best, runs)] if best else []


def _attacks(best: RunResults, runs: list[RunResults]) -> Iterator[str]:
    eps = nearest_eps(best)
    name = f"accuracy_worst_case_{eps}"
    yield f"Attacks that change no pixel by more than {eps:g} of its range {attacked_clause(best, eps)}"
    robust = max((run for run in runs if name in run.attacks), key=lambda run: run.attacks[name], default=best)
    if robust is not best:
        yield f"The most robust run, {robust.name}, keeps {percent(robust.attacks[name])}."
