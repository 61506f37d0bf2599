"""Training with Lightning: trainer, base task, optimisers, schedules, averaging, gradient-free learning."""

from cvnlp.training import lazy_torchmetrics

lazy_torchmetrics.install()  # before a module of this package imports Lightning
