"""What language models have learned, as arrays and numbers."""

from cvnlp.language.insight.analyse import analyse

METRICS = ("nats_context_64",)  # of DVC and MLflow
__all__ = ["METRICS", "analyse"]
