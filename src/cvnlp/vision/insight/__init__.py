"""What image classifiers have learned, as arrays and numbers."""

from cvnlp.vision.insight.analyse import analyse

__all__ = ["analyse"]
