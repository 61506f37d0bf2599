"""A trained language model as its users call it: text in, text or perplexity out."""

from cvnlp.language.serving.language_model import LanguageModel, TextScore
from cvnlp.language.serving.portable import describe, portable

Model = LanguageModel

__all__ = ["LanguageModel", "Model", "TextScore", "describe", "portable"]
