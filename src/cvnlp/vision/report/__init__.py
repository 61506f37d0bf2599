"""The report's sections on image classifiers. Imports no torch."""

from cvnlp.vision.report.chapters import chapters
from cvnlp.vision.report.chapters.findings import findings
from cvnlp.vision.report.comparison import comparison_section
from cvnlp.vision.report.data_card import data_section
from cvnlp.vision.report.insight import insight_section
from cvnlp.vision.report.robust_comparison import robustness_section
from cvnlp.vision.report.run import LEARNING, ROBUSTNESS, TITLE, run_section

__all__ = [
    "LEARNING",
    "ROBUSTNESS",
    "TITLE",
    "chapters",
    "comparison_section",
    "data_section",
    "findings",
    "insight_section",
    "robustness_section",
    "run_section",
]
