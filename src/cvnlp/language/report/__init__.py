"""The report's sections on language models. Imports no torch."""

from cvnlp.language.report.chapters import chapters
from cvnlp.language.report.chapters.findings import findings
from cvnlp.language.report.comparison import comparison_section, robustness_section
from cvnlp.language.report.data_card import data_section
from cvnlp.language.report.insight import insight_section
from cvnlp.language.report.run import LEARNING, ROBUSTNESS, TITLE, run_section

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
