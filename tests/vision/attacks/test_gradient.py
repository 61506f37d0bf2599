"""FGSM and PGD: on a linear network, on made landscapes, and with logits of all scales."""

import copy

import pytest
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import AttackTable, PgdOptions
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.attacks.evaluations import CountingNetwork, correct_rows
from cvnlp.vision.attacks.gradient import targeted_pgd
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn
from run_attacks import accuracy, run


def table(**options: object) -> AttackTable:
    return AttackTable.model_validate({"pgd": options, "fgsm": {}})


def make_linear(seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """A linear network of two classes, images far from the limits of the range, and the predicted classes."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    images = torch.rand(8, 1, 4, 4) * 0.4 + 0.3
    return network, images, network(images).argmax(1)


@pytest.mark.parametrize("ball", [Ball("linf", 0.02), Ball("l2", 0.05)], ids=str)
@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_attack_on_a_linear_network_is_the_optimum(method: str, ball: Ball) -> None:
    """The gradient of the loss has the direction of the other class's weights minus those of the own class."""
    network, images, labels = make_linear()
    weights = network[1].weight.detach()
    difference = (weights[1 - labels] - weights[labels]).view(images.shape)
    length = difference.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    best = images + ball.eps * (difference.sign() if ball.norm == "linf" else difference / length)
    firm = correct_rows(network, best, labels)  # an image stops as soon as it is misclassified
    assert len(firm) >= 3
    options = table(steps=10, random_start=False)
    attacked = run(method, network, images, labels, ball, table=options)
    assert torch.allclose(attacked[firm], best[firm], atol=1e-6)


def test_fgsm_stays_within_the_range_of_pixels() -> None:
    network, images, _ = make_linear()
    images = images.round()
    attacked = run("fgsm", network, images, network(images).argmax(1), 0.2)
    assert attacked.unique().tolist() == pytest.approx([0.0, 0.2, 0.8, 1.0])


class Ridge(nn.Module):
    """Misclassifies on a ridge of brightness that is narrower than a step."""

    def forward(self, images: Tensor) -> Tensor:
        ridge = 0.01 - (images.mean((1, 2, 3)) - 0.58).abs()
        return torch.stack([torch.zeros_like(ridge), ridge], dim=1)


def test_pgd_stops_as_soon_as_an_image_is_misclassified() -> None:
    images, labels = torch.full((2, 1, 3, 3), 0.5), torch.zeros(2, dtype=torch.long)
    options = table(steps=5, step_size=0.8, random_start=False)
    counting = CountingNetwork(Ridge())
    attacked = run("pgd", counting, images, labels, 0.1, table=options)
    assert accuracy(Ridge(), attacked, labels) == 0.0
    assert torch.allclose(attacked, torch.full_like(attacked, 0.58))
    assert counting.gradients == 4  # at the image, and at the ridge


@pytest.mark.parametrize("restarts", [1, 3])
def test_pgd_moves_by_equal_steps_and_restarts(restarts: int) -> None:
    class Slope(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([torch.ones(len(images)), images.mean((1, 2, 3))], dim=1)

    images, labels = torch.full((2, 1, 3, 3), 0.5), torch.zeros(2, dtype=torch.long)
    options = table(steps=4, step_size=0.2, random_start=False, restarts=restarts)
    counting = CountingNetwork(Slope())
    attacked = run("pgd", counting, images, labels, 0.1, table=options)
    assert torch.allclose(attacked, torch.full_like(attacked, 0.58))
    assert counting.gradients == 2 * 4 * restarts


def test_restarts_break_images_that_one_start_does_not(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    one, many = (run("pgd", network, images, labels, 0.15, table=table(steps=3, restarts=n)) for n in (1, 10))
    survivors = [set(correct_rows(network, attacked, labels).tolist()) for attacked in (one, many)]
    assert survivors[1] < survivors[0]


def test_image_without_a_gradient_stays_where_it_is() -> None:
    class Flat(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([images.mean((1, 2, 3)).round(), torch.zeros(len(images))], dim=1)

    images, labels = torch.full((2, 1, 3, 3), 0.7), torch.zeros(2, dtype=torch.long)
    assert torch.equal(run("fgsm", Flat(), images, labels, 0.1), images)
    assert torch.equal(run("pgd", Flat(), images, labels, 0.1, table=table(random_start=False)), images)


class Scaled(nn.Module):
    """A network whose logits are multiplied: the same decisions, and more or less confident."""

    def __init__(self, network: nn.Module, factor: float) -> None:
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * self.network(images)


FACTORS = [1e-3, 1.0, 200.0, 1e4]


@pytest.mark.parametrize("factor", FACTORS)
def test_fgsm_follows_the_exact_gradient_of_the_cross_entropy_however_certain_the_network_is(
    factor: float, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    """In float64, and for larger logits still in logarithms: sum of softmax(z)_k (z_k - z_label) / (1 - p_label)."""
    images, labels = (tensor[correct_rows(network, *pictures)] for tensor in pictures)
    exact = images.double().requires_grad_()
    logits = factor * copy.deepcopy(network).double()(exact)
    others = logits.detach().scatter(1, labels[:, None], -torch.inf).softmax(1)
    loss = (others * logits).sum(1) - logits.gather(1, labels[:, None])[:, 0]
    direction = torch.autograd.grad(loss.sum(), exact)[0].sign().float()
    attacked = run("fgsm", Scaled(network, factor), images, labels, 0.1)
    differs = (attacked != (images + 0.1 * direction).clamp(0, 1)).float().mean()
    assert differs < 1e-3  # a sign near zero may fall either way


@pytest.mark.parametrize("factor", [200.0, 1e4])
def test_pgd_is_not_stopped_by_large_logits(factor: float, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    """The gradient of the cross entropy vanishes, that of the log-odds does not."""
    images, labels = pictures
    attacked = run("pgd", Scaled(network, factor), images, labels, 0.3)
    assert accuracy(network, attacked, labels) <= 0.1


@pytest.mark.parametrize("ball", [Ball("linf", 0.3), Ball("l2", 3.0)], ids=str)
def test_targeted_pgd_reaches_its_targets(ball: Ball, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    targets = (labels + 3) % 10
    generator = torch.Generator().manual_seed(1)
    attacked = targeted_pgd(network, images, targets, ball, PgdOptions(), generator=generator)
    check_attacked(images, attacked, ball)
    assert accuracy(network, attacked, targets) > 0.85
    assert accuracy(network, images, targets) < 0.05
    again = targeted_pgd(network, images, labels, ball, PgdOptions(), generator=generator)
    right = correct_rows(network, images, labels)
    assert torch.equal(again[right], images[right])  # classified as their targets from the start
