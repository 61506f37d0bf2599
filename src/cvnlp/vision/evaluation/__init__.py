"""Evaluation of image classifiers on the test split."""

from cvnlp.vision.evaluation.evaluate import evaluate

__all__ = ["evaluate"]
