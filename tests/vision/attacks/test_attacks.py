"""Every attack in the table ATTACKS: its limits, its effect, and that it depends on nothing but its arguments."""

import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision.attacks import ATTACKS, AttackConfig
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.models import MODELS
from cvnlp.vision.models.cnn import Cnn
from make_networks import classifier
from run_attacks import EPS, accuracy, run


@pytest.mark.parametrize("eps", [0.01, *EPS, 1.0])
@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_an_attack_stays_within_eps_and_within_the_range(
    method: str, eps: float, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    attacked = run(method, network, images, labels, eps)
    assert attacked.shape == images.shape and attacked.dtype == images.dtype
    assert torch.isfinite(attacked).all()
    assert (attacked - images).abs().max() <= eps + 1e-6
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert not torch.equal(attacked, images)
    check_attacked(images, attacked, AttackConfig(eps))


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_an_attack_works_on_every_network(method: str, name: str, pictures: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    untrained = classifier(name, (12, 12, 1), 10, mean=0.2, std=0.25).eval()
    images, labels = pictures[0][:10], pictures[1][:10]
    attacked = run(method, untrained, images, labels, 0.1)
    check_attacked(images, attacked, AttackConfig(0.1))
    assert (attacked != images).flatten(1).any(1).all()


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_an_eps_of_zero_changes_nothing(method: str, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(run(method, network, *pictures, 0.0), pictures[0])


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_attack_depends_on_no_random_numbers_but_the_generator(
    method: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    first = run(method, network, *pictures, 0.1)
    torch.manual_seed(99)
    assert torch.equal(first, run(method, network, *pictures, 0.1))


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_attack_modifies_neither_network_nor_images(method: str, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    pixels = images.clone()
    attacked = run(method, network, images, labels, 0.1)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(images, pixels)
    assert not images.requires_grad and not attacked.requires_grad
    assert not network.training


@pytest.mark.parametrize("method", sorted(set(ATTACKS) - {"random"}))
def test_attack_of_an_image_does_not_depend_on_its_batch(
    method: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures[0][:6], pictures[1][:6]
    together = run(method, network, images, labels, 0.1)
    alone = torch.cat([run(method, network, images[[i]], labels[[i]], 0.1) for i in range(6)])
    assert ((together - alone).abs() > 1e-5).float().mean() < 0.01  # a sign near zero may fall either way


@pytest.mark.parametrize("eps", EPS)
def test_stronger_attack_leaves_no_higher_accuracy(eps: float, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    left = {method: accuracy(network, run(method, network, images, labels, eps), labels) for method in ATTACKS}
    assert accuracy(network, images, labels) >= 0.95
    assert left["pgd"] <= left["fgsm"] <= left["random"]
    assert left["fgsm"] < 0.95 or eps < 0.1


def test_fgsm_is_clearly_stronger_than_random_noise(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    left = {method: accuracy(network, run(method, network, images, labels, 0.15), labels) for method in ATTACKS}
    assert left["fgsm"] < left["random"] - 0.1


def test_larger_eps_leaves_no_higher_accuracy(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    left = [accuracy(network, run("pgd", network, images, labels, eps), labels) for eps in [0.0, *EPS]]
    assert left == sorted(left, reverse=True)


def test_random_noise_changes_every_pixel_by_eps_in_both_directions() -> None:
    images = torch.full((4, 1, 12, 12), 0.5)
    moved = run("random", nn.Identity(), images, torch.zeros(4, dtype=torch.long), 0.1) - images
    assert torch.allclose(moved.abs(), torch.full_like(moved, 0.1), atol=1e-6)
    assert 0.4 < (moved > 0).float().mean() < 0.6
    assert not torch.equal(moved[0], moved[1])
