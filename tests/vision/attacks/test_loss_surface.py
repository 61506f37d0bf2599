"""The loss around one image: at its centre, along the attack, and against the definition."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.vision.attacks.loss_surface import loss_surface, surface_axis
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn

BALLS = [Ball("linf", 0.1), Ball("l2", 1.5)]


def margin(network: Cnn, image: Tensor, label: Tensor) -> float:
    with torch.no_grad():
        logits = network(image)[0]
    others = torch.cat([logits[: int(label)], logits[int(label) + 1 :]])
    return float(logits[int(label)] - others.max())


@pytest.mark.parametrize("ball", BALLS)
def test_centre_is_the_image_and_the_end_of_the_first_axis_the_attacked_image(
    network: Cnn, pictures: tuple[Tensor, Tensor], ball: Ball
) -> None:
    image, label = pictures[0][:1], pictures[1][:1]
    inner = image.clamp(0.2, 0.8)
    noise = torch.randn(inner.shape, generator=torch.Generator().manual_seed(3))
    attacked = inner + ball.eps * noise.sign() / (1 if ball.norm == "linf" else noise.numel() ** 0.5)
    surface = loss_surface(network, inner, attacked, label, ball, points=11)
    assert surface.shape == (11, 11) and surface.dtype == np.float32
    assert surface[5, 5] == pytest.approx(margin(network, inner, label), abs=1e-4)
    assert surface[10, 5] == pytest.approx(margin(network, attacked, label), abs=1e-3)
    assert surface[0, 5] == pytest.approx(margin(network, 2 * inner - attacked, label), abs=1e-3)


@pytest.mark.parametrize("ball", BALLS)
def test_axis_ends_at_eps(ball: Ball) -> None:
    axis = surface_axis(ball, 5)
    assert axis.tolist() == pytest.approx([-ball.eps, -ball.eps / 2, 0, ball.eps / 2, ball.eps])


def test_cross_entropy_is_that_of_torch(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    image, label = pictures[0][:1], pictures[1][:1]
    surface = loss_surface(network, image, image + 0.1, label, BALLS[0], loss="cross_entropy", points=3)
    with torch.no_grad():
        assert surface[1, 1] == pytest.approx(float(F.cross_entropy(network(image), label)), abs=1e-5)


def test_an_attack_that_changed_nothing_leaves_the_first_axis_flat(
    network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    image, label = pictures[0][:1], pictures[1][:1]
    surface = loss_surface(network, image, image, label, BALLS[0], points=5)
    assert np.allclose(surface, surface[:1], atol=1e-4) and not np.allclose(surface, surface[:, :1])


def test_seed_decides_the_random_direction(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    image, label = pictures[0][:1], pictures[1][:1]
    first, again, other = (
        loss_surface(network, image, image + 0.1, label, BALLS[0], points=3, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert np.allclose(first[:, 1], other[:, 1], atol=1e-5) and not np.allclose(first, other)
