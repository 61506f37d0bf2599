"""FAB: the projection onto a plane, and the smallest perturbation of a linear network."""

import pytest
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import AttackTable, Norm
from cvnlp.vision.attacks.evaluations import is_correct
from cvnlp.vision.attacks.fab import to_plane
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn
from run_attacks import accuracy, run

NORMS = pytest.mark.parametrize("norm", ["linf", "l2"])


def by_bisection(points: Tensor, normals: Tensor, rises: Tensor, norm: Norm) -> Tensor:
    """In float64: all pixels move until each reaches the end of the range; the common factor is bisected."""
    points, normals, rises = points.double(), normals.double(), rises.double().view(-1, 1, 1, 1)
    normals, rises = normals * rises.sign(), rises.abs()
    direction = normals.sign() if norm == "linf" else normals
    low, high = torch.zeros_like(rises), torch.full_like(rises, 1e6)
    for _ in range(100):
        middle = (low + high) / 2
        change = (points + middle * direction).clamp(0, 1) - points
        enough = (normals * change).sum((1, 2, 3), keepdim=True) >= rises
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return (points + high * direction).clamp(0, 1) - points


@NORMS
@pytest.mark.parametrize("seed", range(5))
def test_projection_onto_a_plane_equals_that_by_bisection(norm: Norm, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(50, 2, 5, 5, generator=generator)
    normals = torch.randn(50, 2, 5, 5, generator=generator)
    rises = torch.randn(50, generator=generator) * 3
    change = to_plane(points, normals, rises, Ball(norm, 1.0))
    assert (points + change).min() >= -1e-6 and (points + change).max() <= 1 + 1e-6
    assert torch.allclose((normals * change).sum((1, 2, 3)), rises, atol=1e-4)
    assert torch.allclose(change.double(), by_bisection(points, normals, rises, norm), atol=1e-4)


@NORMS
def test_plane_out_of_reach_is_approached_up_to_the_ends_of_the_range(norm: Norm) -> None:
    points, normals = torch.full((1, 1, 2, 2), 0.4), torch.tensor([[[[1.0, -1.0], [2.0, 0.0]]]])
    change = to_plane(points, normals, torch.tensor([100.0]), Ball(norm, 1.0))
    assert torch.allclose(points + change, torch.tensor([[[[1.0, 0.0], [1.0, 0.4]]]]))


@NORMS
def test_linear_network_is_broken_just_beyond_the_distance_of_its_boundary(norm: Norm) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    images = torch.rand(20, 1, 4, 4) * 0.2 + 0.4
    labels = network(images).argmax(1)
    weights, logits = network[1].weight.detach(), network(images).detach()
    normal, gap = weights[0] - weights[1], (logits[:, 0] - logits[:, 1]).abs()
    distance = (gap / (normal.abs().sum() if norm == "linf" else normal.norm())).view(-1, 1, 1, 1)
    table = AttackTable.model_validate({"fab_t": {"steps": 10}})
    for factor, broken in ((0.99, 0.0), (1.06, 1.0)):
        attacked = run("fab_t", network, images, labels, Ball(norm, factor * distance), table=table)
        assert (~is_correct(network, attacked, labels)).float().mean() == broken


def test_restarts_and_targets_break_no_fewer(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    one, more, restarted = (
        accuracy(network, run("fab_t", network, images, labels, 0.12, table=table), labels)
        for table in (
            AttackTable.model_validate({"fab_t": {"steps": 10, **options}})
            for options in ({"targets": 1}, {"targets": 9}, {"targets": 1, "restarts": 5})
        )
    )
    assert more < one and restarted <= one
