"""Inference with image classifiers: the one place where a network is run on data."""

from cvnlp.vision.inference.predict import (
    most_probable,
    predict,
    predict_classes,
    predict_outputs,
    predict_probabilities,
    predict_split,
)

__all__ = ["most_probable", "predict", "predict_classes", "predict_outputs", "predict_probabilities", "predict_split"]
