"""The smallest eps: on a linear network, where it is known, and on a trained one."""

import pytest
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import Norm, PgdOptions
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.attacks.evaluations import CountingNetwork, is_correct
from cvnlp.vision.attacks.gradient import pgd, targeted_pgd
from cvnlp.vision.attacks.smallest import smallest_eps
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn

OPTIONS = PgdOptions(steps=10, random_start=False)


def attack(network: nn.Module, images: Tensor, classes: Tensor, ball: Ball, method=pgd) -> Tensor:
    return method(network, images, classes, ball, OPTIONS, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_smallest_eps_of_a_linear_network_is_the_distance_of_its_boundary(norm: Norm) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    images = torch.rand(20, 1, 4, 4) * 0.2 + 0.4
    network[1].bias.data -= network(images).detach().mean(0)
    logits = network(images).detach()
    labels, normal = logits.argmax(1), (network[1].weight[0] - network[1].weight[1]).detach()
    distance = (logits[:, 0] - logits[:, 1]).abs() / (normal.abs().sum() if norm == "linf" else normal.norm())
    limit = float(distance.median())
    attacked = attack(network, images, labels, Ball(norm, limit))
    found = smallest_eps(network, images, labels, attacked, attack, norm=norm, halvings=10)
    near = distance < limit * 0.999
    assert torch.allclose(found.eps[near], distance[near], atol=limit / 500)
    assert found.eps[distance > limit * 1.001].isinf().all()
    assert torch.equal(found.attacked[found.eps.isinf()], images[found.eps.isinf()])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_eps_is_proved_by_an_image(norm: Norm, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    labels = torch.where(torch.arange(100) < 5, (labels + 1) % 10, labels)
    limit = {"linf": 0.2, "l2": 1.5}[norm]
    attacked = attack(network, images, labels, Ball(norm, limit))
    found = smallest_eps(network, images, labels, attacked, attack, norm=norm, halvings=6)
    known = found.eps.isfinite()
    assert (found.eps[known] <= limit + 1e-6).all() and 0.2 < known.float().mean() < 1
    assert not is_correct(network, found.attacked[known], labels[known]).any()
    check_attacked(images[known], found.attacked[known], Ball(norm, found.eps[known].view(-1, 1, 1, 1)))
    assert (found.eps[:5] == 0).all() and torch.equal(found.attacked[:5], images[:5])
    smaller = attack(network, images, labels, Ball(norm, (0.9 * found.eps.clamp(max=limit)).view(-1, 1, 1, 1)))
    assert is_correct(network, smaller, labels)[5:].float().mean() > 0.8


def test_known_lower_bounds_are_not_searched_again(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    attacked = attack(network, images, labels, Ball("linf", 0.2))
    low = torch.full((100,), 0.15)
    found = smallest_eps(network, images, labels, attacked, attack, norm="linf", halvings=3, low=low)
    exact = smallest_eps(network, images, labels, attacked, attack, norm="linf", halvings=12)
    between = (exact.eps > 0.15) & exact.eps.isfinite()
    assert torch.allclose(found.eps[between], exact.eps[between], atol=0.05 / 8)
    assert (found.eps >= 0.15 - 1e-6)[exact.eps > 0].float().mean() > 0.2


def test_smallest_eps_towards_a_target_is_no_smaller(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures

    def targeted(network: nn.Module, images: Tensor, classes: Tensor, ball: Ball) -> Tensor:
        return attack(network, images, classes, ball, targeted_pgd)

    targets = (labels + 5) % 10
    reached = targeted(network, images, targets, Ball("linf", 0.4))
    found = smallest_eps(network, images, targets, reached, targeted, norm="linf", halvings=8, targeted=True)
    broken = attack(network, images, labels, Ball("linf", 0.4))
    other = smallest_eps(network, images, labels, broken, attack, norm="linf", halvings=8)
    known = found.eps.isfinite()
    assert known.any() and is_correct(network, found.attacked[known], targets[known]).all()
    assert (found.eps >= other.eps - 0.02)[known].float().mean() > 0.9


def test_nothing_is_attacked_if_nothing_was_broken(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images = pictures[0]
    counting, labels = CountingNetwork(network), network(images).argmax(1)
    found = smallest_eps(counting, images, labels, images, attack, norm="linf", halvings=5)
    assert found.eps.isinf().all() and counting.gradients == 0
