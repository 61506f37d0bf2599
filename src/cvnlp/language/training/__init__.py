"""Training of language models."""

from cvnlp.language.training.task import GradientFreeTask, Task

__all__ = ["GradientFreeTask", "Task"]
