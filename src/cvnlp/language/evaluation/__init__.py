"""Evaluation of language models on the test split."""

from cvnlp.language.evaluation.evaluate import evaluate

__all__ = ["evaluate"]
