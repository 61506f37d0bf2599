"""Checks of an attack's result."""

import torch
from torch import Tensor

from cvnlp.vision.models.ball import Ball

TOLERANCE = 1e-6  # of pixels in [0, 1], and of lengths relative to eps, in float32


def check_attacked(images: Tensor, attacked: Tensor, ball: Ball) -> None:
    """RuntimeError if attacked images are not finite, are outside the balls around the images, or leave [0, 1]."""
    if not torch.isfinite(attacked).all():
        raise RuntimeError("an attacked image contains NaN or infinity")
    outside = ~ball.contains(images, attacked, tolerance=TOLERANCE)
    if outside.any():
        change, eps = ball.sizes(images, attacked)[outside][0], ball.of(outside).eps
        size = float(eps.flatten()[0]) if isinstance(eps, Tensor) else eps
        what = "a pixel" if ball.norm == "linf" else "the pixels of an image, in the norm l2,"
        raise RuntimeError(f"an attack changed {what} by {float(change):g}, more than eps {size:g}")
    low, high = float(attacked.min()), float(attacked.max())
    if low < 0 or high > 1:
        raise RuntimeError(f"attacked pixels from {low:g} to {high:g} are outside [0, 1]")
