"""Square Attack: its schedule, its squares, and a network without gradients."""

import pytest
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import AttackTable, SquareOptions
from cvnlp.vision.attacks.evaluations import CountingNetwork, is_correct
from cvnlp.vision.attacks.square import _bump, _side
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn
from run_attacks import accuracy, run


def table(**options: object) -> AttackTable:
    return AttackTable.model_validate({"square": options})


class Quantised(nn.Module):
    """A network behind an input layer of few levels: its gradient is 0 everywhere."""

    def __init__(self, network: nn.Module, levels: int = 10) -> None:
        super().__init__()
        self.network, self.levels = network, levels

    def forward(self, images: Tensor) -> Tensor:
        return self.network((images * self.levels).round() / self.levels)


@pytest.mark.parametrize("ball", [Ball("linf", 0.4), Ball("l2", 4.0)], ids=str)
def test_network_without_a_gradient_is_broken_by_square_and_not_by_fgsm(
    ball: Ball, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    quantised = Quantised(network)
    assert accuracy(quantised, run("fgsm", quantised, images, labels, ball), labels) >= 0.95
    attacked = run("square", quantised, images, labels, ball, table=table(queries=500))
    assert accuracy(quantised, attacked, labels) <= 0.05


def test_no_gradient_is_computed_and_queries_are_counted(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    counting = CountingNetwork(network)
    run("square", counting, images, labels, 1e-6, table=table(queries=7))
    correct = int(is_correct(network, images, labels).sum())
    assert counting.gradients == 0
    assert counting.forwards == len(images) + 7 * correct + correct  # which are correct, before and after


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_queries_and_restarts_break_no_fewer(norm, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    ball = Ball(norm, {"linf": 0.3, "l2": 2.0}[norm])
    few, many, restarted = (
        accuracy(network, run("square", network, images, labels, ball, table=table(**options)), labels)
        for options in ({"queries": 50}, {"queries": 500}, {"queries": 50, "restarts": 5})
    )
    assert many < few and restarted < few


@pytest.mark.parametrize(("query", "side"), [(0, 25), (10, 25), (11, 18), (51, 13), (201, 9), (4001, 2), (8001, 1)])
def test_squares_shrink_as_published(query: int, side: int) -> None:
    images = torch.zeros(1, 1, 28, 28)
    assert _side(images, SquareOptions(queries=10_000), query) == side
    assert _side(images, SquareOptions(queries=20_000), 2 * query) == side


@pytest.mark.parametrize("side", range(1, 28))
def test_bump_has_length_one_and_a_peak_next_to_a_dip(side: int) -> None:
    bump = _bump(side, torch.zeros(1), torch.Generator().manual_seed(side))
    assert bump.shape == (side, side)
    assert float(bump.norm()) == pytest.approx(1.0, abs=1e-5)
    assert float(bump.min()) < 0 and (side == 1 or float(bump.max()) > 0)


@pytest.mark.parametrize("shape", [(3, 1, 1, 1), (3, 1, 2, 5), (3, 3, 4, 4), (3, 2, 9, 6)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_images_of_all_shapes_are_perturbed_by_the_full_size(norm, shape: tuple[int, ...]) -> None:
    class Certain(nn.Module):
        """Margins that rise with the largest pixel, and stay below 0."""

        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([torch.ones(len(images)), images.amax((1, 2, 3)) / 2], dim=1)

    images, labels = torch.full(shape, 0.5), torch.zeros(shape[0], dtype=torch.long)
    ball = Ball(norm, 0.2)
    attacked = run("square", Certain(), images, labels, ball)
    assert ball.sizes(images, attacked).tolist() == pytest.approx([0.2] * shape[0], abs=1e-5)
