"""Checks of an attack's result."""

import torch
from torch import Tensor

from cvnlp.vision.attacks.config import AttackConfig

TOLERANCE = 1e-6  # of float32 sums in [0, 1]


def check_attacked(images: Tensor, attacked: Tensor, config: AttackConfig) -> None:
    """RuntimeError if attacked images are not finite, differ by more than eps from the images, or leave [0, 1]."""
    if not torch.isfinite(attacked).all():
        raise RuntimeError("an attacked image contains NaN or infinity")
    change = float((attacked - images).abs().max())
    if change > config.eps + TOLERANCE:
        raise RuntimeError(f"an attack changed a pixel by {change:g}, more than eps {config.eps:g}")
    low, high = float(attacked.min()), float(attacked.max())
    if low < 0 or high > 1:
        raise RuntimeError(f"attacked pixels from {low:g} to {high:g} are outside [0, 1]")
