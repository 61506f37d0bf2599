"""Adversarial attacks on language models."""

from cvnlp.language.attacks.robustness import attack

__all__ = ["attack"]
