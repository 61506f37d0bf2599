"""Attacks compared with those of the Adversarial Robustness Toolbox, an independent implementation."""

import copy
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.params.attacks import AttackTable, Norm, TargetedApgdOptions
from cvnlp.vision.attacks.apgd import apgd_t
from cvnlp.vision.attacks.evaluations import correct_rows
from cvnlp.vision.attacks.smallest import smallest_eps
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn
from run_attacks import EPS, accuracy, run

BALLS = pytest.mark.parametrize("ball", [Ball(norm, eps) for norm, sizes in EPS.items() for eps in sizes], ids=str)
ORDER: dict[Norm, Any] = {"linf": np.inf, "l2": 2}
STEPS, QUERIES = 20, 200
TABLE = AttackTable.model_validate(
    {
        "fgsm": {},
        "pgd": {"steps": STEPS},
        "apgd_ce": {"steps": STEPS},
        "apgd_dlr": {"steps": STEPS},
        "square": {"queries": QUERIES},
    }
)

Attack = Callable[..., Tensor]


@pytest.fixture(scope="module")
def toolbox(network: Cnn, pictures: tuple[Tensor, Tensor]) -> Attack:
    """Attacks of the toolbox on the same network and images, by the names of their classes."""
    evasion = pytest.importorskip("art.attacks.evasion")
    estimators = importlib.import_module("art.estimators.classification")
    classifier = estimators.PyTorchClassifier(
        copy.deepcopy(network),
        nn.CrossEntropyLoss(),
        input_shape=(1, 12, 12),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )

    def attack(name: str, rows: Tensor, **options: Any) -> Tensor:
        np.random.seed(0)  # noqa: NPY002  # that of the toolbox
        torch.manual_seed(0)
        images, labels = pictures
        method = getattr(evasion, name)(classifier, **options)
        return torch.from_numpy(method.generate(images[rows].numpy(), F.one_hot(labels[rows], 10).numpy()))

    return attack


def uncertain(network: Cnn, images: Tensor, labels: Tensor) -> Tensor:
    """The correctly classified images of whose label the network is at most 99.999 % sure.

    For others the toolbox's gradient, in float32, has few correct digits.
    """
    with torch.no_grad():
        probabilities = network(images).softmax(1)
    sure = probabilities.gather(1, labels[:, None])[:, 0] >= 0.99999
    chosen = (~sure & (probabilities.argmax(1) == labels)).nonzero()[:, 0]
    assert len(chosen) >= 10
    return chosen


@BALLS
def test_fgsm_equals_that_of_the_toolbox(
    ball: Ball, toolbox: Attack, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    rows = uncertain(network, *pictures)
    images, labels = (tensor[rows] for tensor in pictures)
    theirs = toolbox("FastGradientMethod", rows, norm=ORDER[ball.norm], eps=ball.eps)
    atol = 1e-5 if ball.norm == "linf" else 5e-3  # of directions
    assert torch.allclose(run("fgsm", network, images, labels, ball), theirs, atol=atol)


@BALLS
def test_accuracy_under_pgd_is_that_of_the_toolbox(
    ball: Ball, toolbox: Attack, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    """Where the network is nearly certain, the toolbox's gradient vanishes: there ours may be stronger."""
    images, labels = pictures
    theirs = toolbox(
        "ProjectedGradientDescentPyTorch",
        torch.arange(len(labels)),
        norm=ORDER[ball.norm],
        eps=ball.eps,
        eps_step=2.5 * ball.eps / STEPS,
        max_iter=STEPS,
        num_random_init=1,
        verbose=False,
    )
    ours = run("pgd", network, images, labels, ball, table=TABLE)
    assert accuracy(network, ours, labels) <= accuracy(network, theirs, labels) + 0.015
    rows = uncertain(network, *pictures)
    found = [accuracy(network, attacked[rows], labels[rows]) for attacked in (ours, theirs)]
    assert found[0] == pytest.approx(found[1], abs=0.06)  # one of few images


@BALLS
@pytest.mark.parametrize(("method", "loss"), [("apgd_ce", "cross_entropy"), ("apgd_dlr", "difference_logits_ratio")])
def test_accuracy_under_apgd_is_no_higher_than_under_that_of_the_toolbox(
    method: str, loss: str, ball: Ball, toolbox: Attack, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    theirs = toolbox(
        "AutoProjectedGradientDescent",
        torch.arange(len(labels)),
        norm=ORDER[ball.norm],
        eps=ball.eps,
        eps_step=2 * ball.eps,
        max_iter=STEPS,
        nb_random_init=1,
        loss_type=loss,
        verbose=False,
    )
    ours = run(method, network, images, labels, ball, table=TABLE)
    assert accuracy(network, ours, labels) <= accuracy(network, theirs, labels) + 1e-6


@BALLS
def test_accuracy_under_square_is_no_higher_than_under_that_of_the_toolbox(
    ball: Ball, toolbox: Attack, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    theirs = toolbox(
        "SquareAttack",
        torch.arange(len(labels)),
        norm=ORDER[ball.norm],
        eps=ball.eps,
        max_iter=QUERIES,
        verbose=False,
    )
    ours = run("square", network, images, labels, ball, table=TABLE)
    assert accuracy(network, ours, labels) <= accuracy(network, theirs, labels) + 1e-6


def test_smallest_eps_is_at_most_that_of_deepfool(
    toolbox: Attack, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    """DeepFool minimises the Euclidean norm, without a limit."""
    rows = correct_rows(network, *pictures)[:30]
    images, labels = (tensor[rows] for tensor in pictures)
    theirs = toolbox("DeepFool", rows, max_iter=50, epsilon=0.02, verbose=False)
    broken = network(theirs).argmax(1) != labels
    assert broken.float().mean() > 0.9

    def attack(network: nn.Module, images: Tensor, labels: Tensor, ball: Ball) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return apgd_t(network, images, labels, ball, TargetedApgdOptions(steps=30), generator=generator)

    start = attack(network, images, labels, Ball("l2", 4.0))
    found = smallest_eps(network, images, labels, start, attack, norm="l2", halvings=8)
    sizes = Ball("l2", 0.0).sizes(images, theirs)
    assert (found.eps <= 1.02 * sizes)[broken].float().mean() >= 0.9
    assert found.eps[broken].median() <= sizes[broken].median()
