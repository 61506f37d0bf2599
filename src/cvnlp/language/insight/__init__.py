"""What language models have learned, as arrays and numbers."""

from cvnlp.language.insight.analyse import examine

__all__ = ["examine"]
