"""A trained image classifier as its users call it: pictures in, class names and probabilities out."""

from cvnlp.vision.serving.classifier import ImageClassifier, Prediction
from cvnlp.vision.serving.portable import describe, portable

Model = ImageClassifier

__all__ = ["ImageClassifier", "Model", "Prediction", "describe", "portable"]
