"""Checks of an attack's result, of either norm."""

import math

import pytest
import torch

from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.models.ball import Ball


@pytest.mark.parametrize(
    ("pixel", "message"),
    [
        (0.61, "changed a pixel by 0.11, more than eps 0.1"),
        (0.39, "more than eps 0.1"),
        (math.nan, "NaN or infinity"),
        (math.inf, "NaN or infinity"),
    ],
)
def test_broken_limit_is_an_error(pixel: float, message: str) -> None:
    images = torch.full((2, 1, 3, 3), 0.5)
    attacked = images.clone()
    check_attacked(images, attacked, Ball("linf", 0.1))
    attacked[1, 0, 2, 2] = pixel
    with pytest.raises(RuntimeError, match=message):
        check_attacked(images, attacked, Ball("linf", 0.1))


def test_length_of_a_perturbation_is_limited_in_l2() -> None:
    images = torch.full((2, 1, 3, 3), 0.5)
    attacked = images.clone()
    attacked[1] += 0.1
    check_attacked(images, attacked, Ball("l2", 0.3))
    with pytest.raises(RuntimeError, match=r"in the norm l2, by 0\.3, more than eps 0\.29"):
        check_attacked(images, attacked, Ball("l2", 0.29))


def test_limit_of_each_image_is_its_own() -> None:
    images = torch.full((2, 1, 3, 3), 0.5)
    eps = torch.tensor([0.1, 0.2]).view(2, 1, 1, 1)
    check_attacked(images, images + eps, Ball("linf", eps))
    with pytest.raises(RuntimeError, match=r"changed a pixel by 0\.2, more than eps 0\.1"):
        check_attacked(images, images + eps.flip(0), Ball("linf", eps))


@pytest.mark.parametrize(("pixel", "moved"), [(0.0, -0.05), (1.0, 1.05)])
def test_pixel_outside_the_range_is_an_error(pixel: float, moved: float) -> None:
    images = torch.full((2, 1, 3, 3), pixel)
    attacked = images.clone()
    attacked[0, 0, 0, 0] = moved
    with pytest.raises(RuntimeError, match=r"outside \[0, 1\]"):
        check_attacked(images, attacked, Ball("linf", 0.1))
