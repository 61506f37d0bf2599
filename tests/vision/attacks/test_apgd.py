"""Auto-PGD: its schedule, and networks that hide their gradients."""

import pytest
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import ApgdOptions, AttackTable, TargetedApgdOptions
from cvnlp.vision.attacks.apgd import _checkpoints
from cvnlp.vision.attacks.evaluations import CountingNetwork
from cvnlp.vision.attacks.targets import targets_of
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn
from run_attacks import accuracy, run

TABLE = AttackTable(
    apgd_ce=ApgdOptions(steps=20), apgd_dlr=ApgdOptions(steps=20), apgd_t=TargetedApgdOptions(steps=20, targets=3)
)
METHODS = pytest.mark.parametrize("method", ["apgd_ce", "apgd_dlr", "apgd_t"])
BALLS = pytest.mark.parametrize("ball", [Ball("linf", 0.3), Ball("l2", 3.0)], ids=str)


def test_checkpoints_of_a_hundred_steps_are_those_of_the_publication() -> None:
    """Its fractions p: 0, 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99."""
    assert list(_checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert _checkpoints(100)[41] == 19


@pytest.mark.parametrize("steps", [1, 2, 8, 20, 50])
def test_checkpoints_are_within_the_steps(steps: int) -> None:
    places = _checkpoints(steps)
    assert all(1 <= place <= steps for place in places)
    assert sum(places.values()) == max(places)


class Circle(nn.Module):
    """A loss whose maximum, in the interior of the ball, is still classified correctly."""

    def forward(self, images: Tensor) -> Tensor:
        hill = 1 - (images - 0.53).square().sum((1, 2, 3)).sqrt()
        return torch.stack([torch.full_like(hill, 1.01), hill, hill - 2, hill - 4], dim=1)


@METHODS
@pytest.mark.parametrize("ball", [Ball("linf", 0.1), Ball("l2", 0.5)], ids=str)
def test_step_size_adapts_until_the_maximum_is_reached(method: str, ball: Ball) -> None:
    images, labels = torch.full((3, 1, 3, 3), 0.5), torch.zeros(3, dtype=torch.long)
    options = AttackTable.model_validate({method: {"steps": 100} | ({"targets": 1} if method == "apgd_t" else {})})
    attacked = run(method, Circle(), images, labels, ball, table=options)
    assert (attacked - 0.53).abs().max() < 0.01


@METHODS
def test_an_image_stops_as_soon_as_it_is_misclassified(
    method: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    counting = CountingNetwork(network)
    run(method, counting, *pictures, 0.3, table=TABLE)
    assert counting.gradients < 100 * 10


@METHODS
@pytest.mark.parametrize("factor", [1e-4, 1e4])
@BALLS
def test_scale_of_the_logits_does_not_hide_the_gradient(
    method: str, factor: float, ball: Ball, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    class Scaled(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return factor * network(images)

    images, labels = pictures
    attacked = run(method, Scaled(), images, labels, ball, table=TABLE)
    assert accuracy(network, attacked, labels) <= 0.05


def test_targets_are_the_most_probable_wrong_classes_in_order() -> None:
    class Constant(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor([[0.5, 3.0, 1.0, 2.0]]).repeat(len(images), 1)

    first, second, third = targets_of(Constant(), torch.zeros(2, 1, 3, 3), torch.tensor([1, 3]), 9)
    assert (first.tolist(), second.tolist(), third.tolist()) == ([3, 1], [2, 2], [0, 0])
    assert len(targets_of(Constant(), torch.zeros(2, 1, 3, 3), torch.tensor([1, 3]), 2)) == 2
