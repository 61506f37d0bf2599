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
    evasion, classifier = toolbox
    images, labels = pictures
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
