"""Attacks on image classifiers: small perturbations of an image that change its predicted class."""

from cvnlp.vision.attacks.config import Attack, AttackEntry
from cvnlp.vision.attacks.robustness import attack
from cvnlp.vision.attacks.table import ATTACKS

__all__ = ["ATTACKS", "Attack", "AttackEntry", "attack"]
