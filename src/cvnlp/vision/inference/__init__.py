"""Inference with image classifiers: the one place where a network is run on data."""

from cvnlp.vision.inference.predict import predict

__all__ = ["predict"]
