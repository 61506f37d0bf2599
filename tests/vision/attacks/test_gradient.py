"""FGSM and PGD: on a linear network, on made landscapes, and compared with another implementation."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.attacks import AttackConfig
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.attacks.gradient import pgd
from cvnlp.vision.models.cnn import Cnn
from run_attacks import EPS, STEPS, accuracy, run


def test_every_image_misclassified_after_fgsm_is_so_after_pgd(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    attacked = {method: run(method, network, images, labels, 0.1) for method in ("fgsm", "pgd")}
    with torch.no_grad():
        fooled = {method: network(attacked[method]).argmax(1) != labels for method in attacked}
    assert (fooled["pgd"] >= fooled["fgsm"]).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_pgd_returns_the_worst_point_and_not_the_last(steps: int) -> None:
    class Ridge(nn.Module):
        """Misclassifies on a narrow ridge of brightness: FGSM ends on it, and the next step leaves it."""

        def forward(self, images: Tensor) -> Tensor:
            ridge = 0.05 - (images.mean((1, 2, 3)) - 0.58).abs()
            return torch.stack([torch.zeros_like(ridge), ridge], dim=1)

    images, labels = torch.full((2, 1, 3, 3), 0.5), torch.zeros(2, dtype=torch.long)
    attacked = pgd(Ridge(), images, labels, AttackConfig(0.1, steps))
    assert accuracy(Ridge(), images, labels) == 1.0
    assert accuracy(Ridge(), attacked, labels) == 0.0
    check_attacked(images, attacked, AttackConfig(0.1))


def make_linear(seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """A linear network of two classes, and images far from the limits of the range."""
    torch.manual_seed(seed)
    linear = nn.Linear(16, 2)
    images = torch.rand(8, 1, 4, 4) * 0.4 + 0.3
    return nn.Sequential(nn.Flatten(), linear), images, torch.arange(8) % 2


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_attack_on_a_linear_network_is_the_optimum(method: str) -> None:
    """The gradient of the loss has the direction of the other class's weights minus those of the own class."""
    network, images, labels = make_linear()
    weights = network[1].weight.detach()
    direction = (weights[1 - labels] - weights[labels]).sign().view(images.shape)
    attacked = run(method, network, images, labels, 0.2)
    assert torch.allclose(attacked, images + 0.2 * direction, atol=1e-6)


def test_fgsm_stays_within_the_range_of_pixels() -> None:
    network, images, labels = make_linear()
    attacked = run("fgsm", network, images.round(), labels, 0.2)
    assert attacked.unique().tolist() == pytest.approx([0.0, 0.2, 0.8, 1.0])


class Scaled(nn.Module):
    """A network whose logits are multiplied: the same decisions, and more or less confident."""

    def __init__(self, network: nn.Module, factor: float) -> None:
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * self.network(images)


FACTORS = [1e-3, 1.0, 200.0, 1e4]


@pytest.mark.parametrize("factor", FACTORS)
def test_accuracy_under_pgd_does_not_depend_on_the_scale_of_the_logits(
    factor: float, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    for eps in EPS:
        expected, found = (
            accuracy(network, run("pgd", attacked, *pictures, eps), pictures[1])
            for attacked in (network, Scaled(network, factor))
        )
        assert found == pytest.approx(expected, abs=0.011), eps  # of a hundred images one may end beside the border


@pytest.mark.parametrize("factor", FACTORS)
def test_fgsm_follows_the_exact_gradient_of_the_cross_entropy_however_certain_the_network_is(
    factor: float, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    """In float64, and for larger logits still in logarithms: sum of softmax(z)_k (z_k - z_label) / (1 - p_label)."""
    images, labels = pictures
    exact = images.double().requires_grad_()
    logits = factor * copy.deepcopy(network).double()(exact)
    others = logits.detach().scatter(1, labels[:, None], -torch.inf).softmax(1)
    loss = (others * logits).sum(1) - logits.gather(1, labels[:, None])[:, 0]
    direction = torch.autograd.grad(loss.sum(), exact)[0].sign().float()
    attacked = run("fgsm", Scaled(network, factor), images, labels, 0.1)
    differs = (attacked != (images + 0.1 * direction).clamp(0, 1)).float().mean()
    assert differs < 1e-3  # a sign near zero may fall either way


def test_pgd_searches_at_random_where_there_is_no_gradient() -> None:
    class Flat(nn.Module):
        """Misclassifies images with a contrast between their first pixels, which it sees in steps."""

        def forward(self, images: Tensor) -> Tensor:
            contrast = (images[:, 0, 0, 0] - images[:, 0, 0, 1] > 0.1).float() + 0 * images.sum((1, 2, 3))
            return torch.stack([torch.full_like(contrast, 0.5), contrast], dim=1)

    images, labels = torch.full((5, 1, 3, 3), 0.5), torch.zeros(5, dtype=torch.long)
    attacked = run("pgd", Flat(), images, labels, 0.1)
    assert accuracy(Flat(), images, labels) == 1.0
    assert accuracy(Flat(), attacked, labels) == 0.0
    check_attacked(images, attacked, AttackConfig(0.1))
    assert torch.equal(attacked[:1], run("pgd", Flat(), images[:1], labels[:1], 0.1))


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_network_that_overflows_leaves_finite_images(method: str, pictures: tuple[Tensor, Tensor]) -> None:
    class Overflowing(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([images.sum((1, 2, 3)) * 1e38, images.mean((1, 2, 3)) * 1e38 * 1e38], dim=1)

    images, labels = pictures
    check_attacked(images, run(method, Overflowing(), images, labels % 2, 0.1), AttackConfig(0.1))


def uncertain(network: Cnn, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The images of whose label the network is at most 99.999 % sure."""
    with torch.no_grad():
        chosen = network(images).softmax(1).gather(1, labels[:, None])[:, 0] < 0.99999
    assert chosen.sum() >= 10
    return images[chosen], labels[chosen]


@pytest.fixture(scope="module")
def toolbox(network: Cnn):
    """The same network in the Adversarial Robustness Toolbox, and its module of attacks."""
    evasion = pytest.importorskip("art.attacks.evasion")
    estimators = pytest.importorskip("art.estimators.classification")
    classifier = estimators.PyTorchClassifier(
        copy.deepcopy(network),
        nn.CrossEntropyLoss(),
        input_shape=(1, 12, 12),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )
    return evasion, classifier


@pytest.mark.parametrize("eps", EPS)
def test_fgsm_equals_that_of_the_toolbox(toolbox, eps: float, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    """Where the network is not nearly certain: there the toolbox's gradient, in float32, has few correct digits."""
    evasion, classifier = toolbox
    images, labels = uncertain(network, *pictures)
    expected = evasion.FastGradientMethod(classifier, eps=eps).generate(images.numpy(), F.one_hot(labels, 10).numpy())
    assert run("fgsm", network, images, labels, eps).numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("eps", EPS)
def test_pgd_is_no_weaker_than_that_of_the_toolbox(
    toolbox, eps: float, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    evasion, classifier = toolbox
    images, labels = pictures
    theirs = evasion.ProjectedGradientDescent(
        classifier, eps=eps, eps_step=2.5 * eps / STEPS, max_iter=STEPS, verbose=False
    ).generate(images.numpy(), F.one_hot(labels, 10).numpy())
    ours = run("pgd", network, images, labels, eps)
    assert accuracy(network, ours, labels) <= accuracy(network, torch.from_numpy(theirs), labels) + 0.02
