"""The report's sections on image classifiers. Imports no torch."""

from cvnlp.vision.report.comparison import draw_comparison
from cvnlp.vision.report.data_card import draw_card
from cvnlp.vision.report.insight import draw_insight
from cvnlp.vision.report.run import LEARNING, ROBUSTNESS, TITLE, draw_run

__all__ = ["LEARNING", "ROBUSTNESS", "TITLE", "draw_card", "draw_comparison", "draw_insight", "draw_run"]
