"""Training of image classifiers."""

from cvnlp.vision.training.task import GradientFreeTask, Task

__all__ = ["GradientFreeTask", "Task"]
