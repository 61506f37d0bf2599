"""Muon: its updates against singular values, and those of other parameters against torch's SGD."""

import copy

import pytest
import torch
from torch import nn

from cvnlp.training.muon import MOMENTUM, Muon, hidden_kernels, orthogonal


def make_network() -> nn.Sequential:
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(24, 3))


def descend(network: nn.Module, optimiser: torch.optim.Optimizer, steps: int, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        images = torch.randn(8, 1, 6, 6, generator=generator)
        optimiser.zero_grad()
        network(images).logsumexp(1).sum().backward()
        optimiser.step()


def make_muon(network: nn.Module) -> Muon:
    return Muon(network, lr=0.01, kernel_lr=0.05, momentum=0.9, weight_decay=5e-4)


@pytest.mark.parametrize("shape", [(8, 72), (72, 8), (16, 16), (1, 9)])
def test_an_orthogonalised_matrix_has_the_same_singular_vectors_and_values_of_about_1(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1e-3
    left, lengths, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonal(matrix) @ right.T
    assert torch.allclose(found, found.diag().diag(), atol=1e-9)
    assert (found.diag()[lengths > lengths[0] / 20] > 0.3).all() and (found.diag() < 1.3).all()


def test_the_kernels_are_those_of_all_convolutions_but_the_first() -> None:
    network = make_network()
    assert [id(kernel) for kernel in hidden_kernels(network)] == [id(network[2].weight)]


def test_the_update_of_a_kernel_does_not_depend_on_the_size_of_its_gradient() -> None:
    small, large = make_network(), make_network()
    images = torch.randn(8, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    for network, factor in ((small, 1e-4), (large, 1e4)):
        optimiser = make_muon(network)
        (factor * network(images).logsumexp(1).sum()).backward()
        optimiser.step()
    assert torch.allclose(small[2].weight, large[2].weight, atol=1e-5)
    before = make_network()[2].weight
    before = before * len(before) ** 0.5 / before.norm()
    moved = torch.linalg.svdvals((small[2].weight - before).flatten(1))
    assert moved.max() < 0.05 * 1.3 and moved.median() > 0.05 * 0.3


def test_other_parameters_are_updated_as_by_sgd() -> None:
    """The kernels are fixed by a learning rate of 0."""
    ours, theirs = make_network(), make_network()
    with torch.no_grad():
        theirs[2].weight.mul_(len(theirs[2].weight) ** 0.5 / theirs[2].weight.norm())
    optimiser = make_muon(ours)
    optimiser.param_groups[1]["lr"] = 0.0
    with torch.no_grad():
        ours[2].weight.copy_(theirs[2].weight)
    rest = [parameter for name, parameter in theirs.named_parameters() if name != "2.weight"]
    sgd = torch.optim.SGD(rest, lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    descend(ours, optimiser, 5)
    descend(theirs, sgd, 5)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-5), name


def test_a_loaded_state_continues_to_the_same_bits() -> None:
    through = make_network()
    whole = make_muon(through)
    descend(through, whole, 3)
    kept, resumed = copy.deepcopy(whole.state_dict()), copy.deepcopy(through)
    descend(through, whole, 3, seed=9)
    again = make_muon(resumed)
    again.load_state_dict(kept)
    descend(resumed, again, 3, seed=9)
    assert all(torch.equal(a, b) for a, b in zip(through.parameters(), resumed.parameters(), strict=True))


def test_the_kernels_have_a_momentum_of_their_own() -> None:
    assert [group["momentum"] for group in make_muon(make_network()).param_groups] == [0.9, MOMENTUM]


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)), "batch normalisation"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), "two or more convolutions"),
    ],
)
def test_a_network_without_hidden_kernels_is_refused(network: nn.Module, reason: str) -> None:
    with pytest.raises(ValueError, match=f"muon.*{reason}.*sgd or adamw"):
        make_muon(network)


def test_a_learning_rate_may_be_a_tensor() -> None:
    """As in a step that a GPU repeats."""
    found = []
    for rate in (0.1, torch.tensor(0.1)):
        network = make_network()
        muon = make_muon(network)
        for group in muon.param_groups:
            group["lr"] = rate
        descend(network, muon, 3)
        found.append([parameter.detach().clone() for parameter in network.parameters()])
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(*found, strict=True))
