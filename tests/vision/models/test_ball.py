"""Balls of perturbations: projections, random points and steepest steps of both norms."""

import pytest
import torch

from cvnlp.params.attacks import Norm
from cvnlp.vision.models.ball import Ball

BALLS = pytest.mark.parametrize(
    "ball", [Ball("linf", 0.1), Ball("l2", 0.7), Ball("l2", torch.linspace(0.1, 1, 20).view(20, 1, 1, 1))], ids=str
)
NORMS = pytest.mark.parametrize("norm", ["linf", "l2"])
IMAGES = torch.rand(20, 2, 5, 5, generator=torch.Generator().manual_seed(0))


@BALLS
def test_projection_is_in_the_ball_and_leaves_points_of_it_alone(ball: Ball) -> None:
    far = IMAGES + torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(1))
    projected = ball.project(IMAGES, far)
    assert ball.contains(IMAGES, projected, tolerance=1e-6).all() and not ball.contains(IMAGES, far).any()
    assert projected.min() >= 0 and projected.max() <= 1
    assert torch.allclose(ball.project(IMAGES, projected), projected, atol=1e-6)


@BALLS
def test_random_points_are_in_the_ball_and_depend_on_the_generator_alone(ball: Ball) -> None:
    first, again, other = (ball.random(IMAGES, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert ball.contains(IMAGES, first, tolerance=1e-6).all()
    assert torch.equal(first, again) and not torch.equal(first, other)


@NORMS
def test_steepest_step_has_size_one_and_the_largest_product_with_the_gradient(norm: Norm) -> None:
    ball, generator = Ball(norm, 1.0), torch.Generator().manual_seed(2)
    gradient = torch.randn(IMAGES.shape, generator=generator)
    step = ball.steepest(gradient * 1e-25)
    assert torch.allclose(ball.sizes(torch.zeros_like(step), step), torch.ones(20), atol=1e-5)
    for _ in range(50):
        other = ball.steepest(gradient + torch.randn(IMAGES.shape, generator=generator))
        assert ((gradient * step).sum((1, 2, 3)) >= (gradient * other).sum((1, 2, 3))).all()
    assert not ball.steepest(torch.zeros_like(gradient)).any()


def test_balls_of_some_images() -> None:
    ball = Ball("linf", torch.arange(4.0).view(4, 1, 1, 1))
    assert ball.of(torch.tensor([2, 0])).eps.flatten().tolist() == [2, 0]
    assert ball.of(torch.tensor([True, False, False, True])).eps.flatten().tolist() == [0, 3]
    assert Ball("l2", 0.5).of(torch.tensor([2])) == Ball("l2", 0.5)
