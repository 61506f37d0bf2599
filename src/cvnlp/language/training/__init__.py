"""Training of language models."""

from cvnlp.language.training.task import Task

__all__ = ["Task"]
