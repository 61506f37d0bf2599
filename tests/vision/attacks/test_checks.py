"""The checks of an attack's result."""

import math

import pytest
import torch

from cvnlp.vision.attacks import AttackConfig
from cvnlp.vision.attacks.checks import check_attacked


@pytest.mark.parametrize(
    ("pixel", "message"),
    [
        (0.61, "more than eps 0.1"),
        (0.39, "more than eps 0.1"),
        (math.nan, "NaN or infinity"),
        (math.inf, "NaN or infinity"),
    ],
)
def test_broken_limit_is_an_error(pixel: float, message: str) -> None:
    images = torch.full((2, 1, 3, 3), 0.5)
    attacked = images.clone()
    check_attacked(images, attacked, AttackConfig(0.1))
    attacked[1, 0, 2, 2] = pixel
    with pytest.raises(RuntimeError, match=message):
        check_attacked(images, attacked, AttackConfig(0.1))


@pytest.mark.parametrize(("pixel", "moved"), [(0.0, -0.05), (1.0, 1.05)])
def test_pixel_outside_the_range_is_an_error(pixel: float, moved: float) -> None:
    images = torch.full((2, 1, 3, 3), pixel)
    attacked = images.clone()
    attacked[0, 0, 0, 0] = moved
    with pytest.raises(RuntimeError, match=r"outside \[0, 1\]"):
        check_attacked(images, attacked, AttackConfig(0.1))
