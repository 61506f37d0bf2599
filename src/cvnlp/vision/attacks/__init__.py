"""Adversarial attacks on image classifiers."""

from cvnlp.vision.attacks.robustness import attack

__all__ = ["attack"]
