"""Training of image classifiers."""

from cvnlp.vision.training.task import Task

__all__ = ["Task"]
