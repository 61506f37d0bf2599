"""Every attack in the table ATTACKS: its limits, its effect, and that it depends on nothing but its arguments."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import AttackTable, Norm, RandomOptions
from cvnlp.vision.attacks import ATTACKS
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.attacks.evaluations import correct_rows, is_correct
from cvnlp.vision.models import MODELS
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn
from make_networks import classifier
from run_attacks import EPS, OPTIONS, accuracy, run

BALLS = [Ball(norm, eps) for norm, sizes in EPS.items() for eps in sizes]
METHODS = pytest.mark.parametrize("method", list(ATTACKS))
NORMS = pytest.mark.parametrize("norm", list(EPS))


def middle(norm: Norm) -> Ball:
    return Ball(norm, EPS[norm][1])


def test_table_has_the_attacks_of_params_in_their_order() -> None:
    assert list(ATTACKS) == list(AttackTable.model_fields)


@pytest.mark.parametrize("ball", [Ball("linf", 0.01), *BALLS, Ball("linf", 1.0), Ball("l2", 20.0)], ids=str)
@METHODS
def test_an_attack_stays_in_the_ball_and_within_the_range(
    method: str, ball: Ball, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    attacked = run(method, network, images, labels, ball)
    assert attacked.shape == images.shape and attacked.dtype == images.dtype
    check_attacked(images, attacked, ball)
    change = (attacked - images).flatten(1)
    assert (change.abs().amax(1) if ball.norm == "linf" else change.norm(dim=1)).max() <= ball.eps + 1e-5
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert not torch.equal(attacked, images)


@pytest.mark.parametrize(("method", "norm"), list(itertools.product(ATTACKS, EPS)))
def test_an_attack_takes_an_eps_for_each_image(
    method: str, norm: Norm, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    sizes = torch.linspace(0, EPS[norm][1], len(images)).view(-1, 1, 1, 1)
    check_attacked(images, run(method, network, images, labels, Ball(norm, sizes)), Ball(norm, sizes))
    same = run(method, network, images, labels, Ball(norm, torch.full_like(sizes, EPS[norm][1])))
    assert torch.allclose(same, run(method, network, images, labels, middle(norm)), atol=1e-5)


class Flat(nn.Module):
    """Constant outputs, that do not depend on the pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.eye(10)[[3] * len(images)]


class Steps(nn.Module):
    """Outputs in steps of the brightness of the rows, whose gradient is 0."""

    def forward(self, images: Tensor) -> Tensor:
        return (images[:, 0].mean(2)[:, :10] * 20).round()


class Overflowing(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean((2, 3)) * 1e38
        return torch.cat([mean * power for power in (1.0, 10.0, 1e38, -1e38, 2.0, 0.1)], dim=1)


class Doubtful(nn.Module):
    """NaN for bright images."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([(0.15 - images.mean((2, 3))).sqrt(), images[:, 0, 0]], dim=1)


@pytest.mark.parametrize("made", [Flat, Steps, Overflowing, Doubtful])
@NORMS
@METHODS
def test_an_attack_works_without_gradients_and_with_outputs_that_overflow(
    method: str, norm: Norm, made: type[nn.Module], pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures[0][:20], torch.zeros(20, dtype=torch.long)
    labels = torch.where(is_correct(made(), images, labels), 0, 3)
    check_attacked(images, run(method, made(), images, labels, middle(norm)), middle(norm))


@pytest.mark.parametrize("name", sorted(MODELS))
@METHODS
def test_an_attack_works_on_every_network(method: str, name: str, pictures: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    untrained = classifier(name, (12, 12, 1), 10, mean=0.2, std=0.25).eval()
    images = pictures[0][:6]
    labels = untrained(images).argmax(1)
    for norm in EPS:
        check_attacked(images, run(method, untrained, images, labels, middle(norm)), middle(norm))


@pytest.mark.parametrize("classes", [2, 3])
@METHODS
def test_an_attack_works_with_few_classes(method: str, classes: int) -> None:
    torch.manual_seed(0)
    small = nn.Sequential(nn.Flatten(), nn.Linear(16, classes))
    images = torch.rand(8, 1, 4, 4)
    attacked = run(method, small, images, small(images).argmax(1), 0.5)
    check_attacked(images, attacked, Ball("linf", 0.5))
    assert method == "random" or accuracy(small, attacked, small(images).argmax(1)) < 1


@NORMS
@METHODS
def test_an_eps_of_zero_changes_nothing(method: str, norm: Norm, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(run(method, network, *pictures, Ball(norm, 0.0)), pictures[0])


@NORMS
@METHODS
def test_misclassified_images_are_returned_as_they_are(
    method: str, norm: Norm, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    wrong = torch.arange(len(labels)) % 3 == 0
    labels = torch.where(wrong, (network(images).argmax(1) + 1) % 10, network(images).argmax(1))
    attacked = run(method, network, images, labels, middle(norm))
    assert torch.equal(attacked[wrong], images[wrong])
    assert (attacked[~wrong] != images[~wrong]).flatten(1).any(1).all()


@METHODS
def test_an_attack_returns_a_batch_of_misclassified_images_as_it_is(
    method: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures[0], (network(pictures[0]).argmax(1) + 1) % 10
    assert torch.equal(run(method, network, images, labels, 0.3), images)


@METHODS
def test_attack_depends_on_no_random_numbers_but_the_generator(
    method: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    first = run(method, network, *pictures, 0.1)
    torch.manual_seed(99)
    assert torch.equal(first, run(method, network, *pictures, 0.1))
    before = torch.random.get_rng_state()
    run(method, network, *pictures, 0.1)
    assert torch.equal(before, torch.random.get_rng_state())


@METHODS
def test_attack_modifies_neither_network_nor_images(method: str, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    pixels, classes = images.clone(), labels.clone()
    attacked = run(method, network, images, labels, 0.1)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(images, pixels) and torch.equal(labels, classes)
    assert not images.requires_grad and not attacked.requires_grad
    assert not network.training


@METHODS
def test_attack_works_without_gradients_enabled(method: str, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        attacked = run(method, network, *pictures, 0.1)
    assert torch.equal(attacked, run(method, network, *pictures, 0.1))


@METHODS
def test_attack_of_an_image_does_not_depend_on_the_others_of_its_batch(
    method: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    """The random numbers of an image depend on its place."""
    images, labels = pictures[0][:6], pictures[1][:6]
    others = torch.cat([images[:3], pictures[0][6:9]]), torch.cat([labels[:3], (pictures[1][6:9] + 1) % 10])
    together, changed = run(method, network, images, labels, 0.1), run(method, network, *others, 0.1)
    assert ((together - changed)[:3].abs() > 1e-5).float().mean() < 0.01  # a sign near zero may fall either way


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_stronger_attack_leaves_no_higher_accuracy(ball: Ball, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    left = {method: accuracy(network, run(method, network, images, labels, ball), labels) for method in ATTACKS}
    assert accuracy(network, images, labels) >= 0.95
    assert left["fgsm"] <= left["random"] and left["square"] <= left["random"]
    for strong in ("pgd", "apgd_ce", "apgd_dlr", "apgd_t", "fab_t"):
        assert left[strong] <= left["fgsm"] + 0.02, strong


@NORMS
def test_attacks_are_clearly_stronger_than_random_noise(
    norm: Norm, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    ball = Ball(norm, EPS[norm][-1])
    left = {method: accuracy(network, run(method, network, images, labels, ball), labels) for method in ATTACKS}
    assert all(left[method] < left["random"] - 0.1 for method in ATTACKS if method != "random")


@NORMS
@pytest.mark.parametrize("method", ["pgd", "apgd_ce", "apgd_t", "fab_t", "square"])
def test_larger_eps_leaves_no_higher_accuracy(
    method: str, norm: Norm, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    balls = [Ball(norm, eps) for eps in [0.0, *EPS[norm]]]
    left = [accuracy(network, run(method, network, images, labels, ball), labels) for ball in balls]
    assert left == sorted(left, reverse=True) and left[-1] < left[0]


def test_random_noise_has_the_full_size_in_random_directions() -> None:
    images = torch.full((4, 1, 12, 12), 0.5)
    constant, labels = Flat(), torch.full((4,), 3)
    moved = run("random", constant, images, labels, 0.1) - images
    assert torch.allclose(moved.abs(), torch.full_like(moved, 0.1), atol=1e-6)
    assert 0.4 < (moved > 0).float().mean() < 0.6
    assert not torch.equal(moved[0], moved[1])
    moved = run("random", constant, images, labels, Ball("l2", 0.7)) - images
    assert moved.flatten(1).norm(dim=1).tolist() == pytest.approx([0.7] * 4, abs=1e-5)


def test_more_draws_of_noise_break_more_images(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    few, many = (
        run("random", network, images, labels, 0.3, table=OPTIONS.model_copy(update={"random": RandomOptions(draws=n)}))
        for n in (1, 20)
    )
    broken = set(range(len(images))) - set(correct_rows(network, few, labels).tolist())
    assert not broken & set(correct_rows(network, many, labels).tolist())
    assert accuracy(network, many, labels) < accuracy(network, few, labels)
