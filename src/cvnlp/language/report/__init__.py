"""The report's sections on language models. Imports no torch."""

from cvnlp.language.report.comparison import draw_comparison
from cvnlp.language.report.data_card import draw_card
from cvnlp.language.report.insight import draw_insight
from cvnlp.language.report.run import LEARNING, ROBUSTNESS, TITLE, draw_run

__all__ = ["LEARNING", "ROBUSTNESS", "TITLE", "draw_card", "draw_comparison", "draw_insight", "draw_run"]
