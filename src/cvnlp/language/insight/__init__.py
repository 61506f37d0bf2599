"""What language models have learned, as arrays and numbers."""

from cvnlp.language.insight.analyse import analyse

__all__ = ["analyse"]
