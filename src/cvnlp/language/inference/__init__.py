"""Inference with language models: the one place where a network is run on data."""

from cvnlp.language.inference.predict import predict

__all__ = ["predict"]
