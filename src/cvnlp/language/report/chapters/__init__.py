"""The chapters on language modelling, in the order of the course. Imports no torch."""

from cvnlp.language.report.chapters import memory, prediction, words
from cvnlp.report.elements import Section
from cvnlp.report.results import Results

__all__ = ["chapters"]


def chapters(results: Results) -> list[Section]:
    """Every chapter, also of what was not run."""
    return [build(results) for part in (prediction, memory, words) for build in part.CHAPTERS]
