"""The chapters on image classification, in the order of the course. Imports no torch."""

from cvnlp.report.elements import Section
from cvnlp.report.results import Results
from cvnlp.vision.report.chapters import architectures, classification, convolution, limits

__all__ = ["chapters"]


def chapters(results: Results) -> list[Section]:
    """Every chapter, also of what was not run."""
    parts = (classification, convolution, architectures, limits)
    return [build(results) for part in parts for build in part.CHAPTERS]
