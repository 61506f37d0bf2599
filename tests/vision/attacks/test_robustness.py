"""Every attack in the table ATTACKS keeps its promises, and the known ones agree with another implementation."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.domains import AttackResult
from cvnlp.networks import device
from cvnlp.params.runs import VisionAttack
from cvnlp.vision.attacks import robustness
from cvnlp.vision.attacks.robustness import ATTACKS, verify
from cvnlp.vision.batches import split_batches
from cvnlp.vision.models import MODELS
from cvnlp.vision.models.cnn import Cnn
from make_networks import classifier

EPS = [0.05, 0.15, 0.3]
STEPS = 8


def run(method: str, network: nn.Module, images: Tensor, labels: Tensor, eps: float, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return ATTACKS[method](network, images, labels, eps=eps, steps=STEPS, generator=generator)


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return (network(images).argmax(1) == labels).float().mean().item()


@pytest.fixture(scope="module")
def pictures(vision_data: Path) -> tuple[Tensor, Tensor]:
    """A hundred pictures that the network was not trained on."""
    splits = [next(iter(split_batches(vision_data, split))) for split in ("validation", "test")]
    images, labels, _ = zip(*splits, strict=True)
    return torch.cat(images), torch.cat(labels)


@pytest.fixture(scope="module")
def network(vision_data: Path) -> Cnn:
    """A network that is right about every clean picture, and about fewer when they are attacked."""
    images, labels, _ = next(iter(split_batches(vision_data, "train")))
    torch.manual_seed(0)
    trained = classifier(
        "cnn", (12, 12, 1), 10, mean=0.2, std=0.25, blocks=[{"filters": 4}, {"filters": 8}], hidden=[16]
    )
    optimiser = torch.optim.AdamW(trained.parameters(), lr=0.01)
    for _ in range(40):
        loss = F.cross_entropy(trained(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    optimiser.zero_grad()
    return trained.eval()


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
    verify(images, attacked, eps=eps)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_an_attack_works_on_every_network(method: str, name: str, pictures: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    untrained = classifier(name, (12, 12, 1), 10, mean=0.2, std=0.25).eval()
    images, labels = pictures[0][:10], pictures[1][:10]
    attacked = run(method, untrained, images, labels, 0.1)
    verify(images, attacked, eps=0.1)
    assert (attacked != images).flatten(1).any(1).all()


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_an_eps_of_zero_changes_nothing(method: str, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(run(method, network, *pictures, 0.0), pictures[0])


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_the_generator_alone_decides_an_attack(method: str, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    first = run(method, network, *pictures, 0.1)
    torch.manual_seed(99)
    assert torch.equal(first, run(method, network, *pictures, 0.1))


@pytest.mark.parametrize("method", sorted(ATTACKS))
def test_an_attack_leaves_network_and_pictures_alone(
    method: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
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
def test_a_picture_is_attacked_by_itself(method: str, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures[0][:6], pictures[1][:6]
    together = run(method, network, images, labels, 0.1)
    alone = torch.cat([run(method, network, images[[i]], labels[[i]], 0.1) for i in range(6)])
    assert ((together - alone).abs() > 1e-5).float().mean() < 0.01  # a sign near zero may fall either way


@pytest.mark.parametrize("eps", EPS)
def test_a_stronger_attack_leaves_no_more_right(eps: float, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    left = {method: accuracy(network, run(method, network, images, labels, eps), labels) for method in ATTACKS}
    assert accuracy(network, images, labels) >= 0.95
    assert left["pgd"] <= left["fgsm"] <= left["random"]
    assert left["fgsm"] < 0.95 or eps < 0.1


def test_aim_does_more_than_chance(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    left = {method: accuracy(network, run(method, network, images, labels, 0.15), labels) for method in ATTACKS}
    assert left["fgsm"] < left["random"] - 0.1


def test_more_room_leaves_no_more_right(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    left = [accuracy(network, run("pgd", network, images, labels, eps), labels) for eps in [0.0, *EPS]]
    assert left == sorted(left, reverse=True)


def test_pgd_keeps_every_picture_that_fgsm_has_won(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    attacked = {method: run(method, network, images, labels, 0.1) for method in ("fgsm", "pgd")}
    with torch.no_grad():
        fooled = {method: network(attacked[method]).argmax(1) != labels for method in attacked}
    assert (fooled["pgd"] >= fooled["fgsm"]).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_pgd_keeps_the_worst_point_it_met_and_not_the_last(steps: int) -> None:
    class Ridge(nn.Module):
        """Wrong on a narrow ridge of brightness: FGSM ends on it, and a step from there leads over it and back."""

        def forward(self, images: Tensor) -> Tensor:
            ridge = 0.05 - (images.mean((1, 2, 3)) - 0.58).abs()
            return torch.stack([torch.zeros_like(ridge), ridge], dim=1)

    images, labels = torch.full((2, 1, 3, 3), 0.5), torch.zeros(2, dtype=torch.long)
    attacked = ATTACKS["pgd"](Ridge(), images, labels, eps=0.1, steps=steps)
    assert accuracy(Ridge(), images, labels) == 1.0
    assert accuracy(Ridge(), attacked, labels) == 0.0
    verify(images, attacked, eps=0.1)


def test_random_offsets_move_every_pixel_by_eps_in_both_directions() -> None:
    images = torch.full((4, 1, 12, 12), 0.5)
    moved = run("random", nn.Identity(), images, torch.zeros(4, dtype=torch.long), 0.1) - images
    assert torch.allclose(moved.abs(), torch.full_like(moved, 0.1), atol=1e-6)
    assert 0.4 < (moved > 0).float().mean() < 0.6
    assert not torch.equal(moved[0], moved[1])


def make_linear(seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """Logits w . x of two classes, in pictures far from the borders of the range."""
    torch.manual_seed(seed)
    linear = nn.Linear(16, 2)
    images = torch.rand(8, 1, 4, 4) * 0.4 + 0.3
    return nn.Sequential(nn.Flatten(), linear), images, torch.arange(8) % 2


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_the_best_step_against_a_linear_network_is_known(method: str) -> None:
    """The loss of two classes rises fastest along the other class's weights minus one's own, whatever the picture."""
    network, images, labels = make_linear()
    weights = network[1].weight.detach()
    direction = (weights[1 - labels] - weights[labels]).sign().view(images.shape)
    attacked = run(method, network, images, labels, 0.2)
    assert torch.allclose(attacked, images + 0.2 * direction, atol=1e-6)


def test_fgsm_stops_at_the_border_of_the_range() -> None:
    network, images, labels = make_linear()
    attacked = run("fgsm", network, images.round(), labels, 0.2)
    assert attacked.unique().tolist() == pytest.approx([0.0, 0.2, 0.8, 1.0])


@pytest.mark.parametrize(
    ("pixel", "message"),
    [(0.61, "more than eps"), (0.39, "more than eps"), (math.nan, "no number"), (math.inf, "no number")],
)
def test_verify_names_a_broken_rule(pixel: float, message: str) -> None:
    images = torch.full((2, 1, 3, 3), 0.5)
    attacked = images.clone()
    verify(images, attacked, eps=0.1)
    attacked[1, 0, 2, 2] = pixel
    with pytest.raises(AssertionError, match=message):
        verify(images, attacked, eps=0.1)


@pytest.mark.parametrize(("pixel", "moved"), [(0.0, -0.05), (1.0, 1.05)])
def test_verify_names_a_pixel_out_of_range(pixel: float, moved: float) -> None:
    images = torch.full((2, 1, 3, 3), pixel)
    attacked = images.clone()
    attacked[0, 0, 0, 0] = moved
    with pytest.raises(AssertionError, match=r"left \[0, 1\]"):
        verify(images, attacked, eps=0.1)


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
def test_fgsm_is_that_of_the_toolbox(toolbox, eps: float, network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
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


def attack(network: nn.Module, data: Path, **options: Any) -> AttackResult:
    chosen = VisionAttack(**{"eps": [0.15, 0.05], "images": 40, "steps": 4, "examples": 3} | options)
    return robustness.attack(network.to(device()), data, prepared.read_facts(data, VisionFacts), chosen)


def test_every_attack_is_made_at_every_eps(network: Cnn, vision_data: Path) -> None:
    result = attack(network, vision_data)
    scores, rows = result.scores, result.table.to_dict("records")
    assert [(row["eps"], row["method"]) for row in rows] == [(eps, name) for eps in (0.05, 0.15) for name in ATTACKS]
    for row in rows:
        assert scores[f"accuracy_{row['method']}_{row['eps']:g}"] == row["accuracy"]
        assert 0 <= row["accuracy"] <= scores["accuracy_clean"]
    assert scores["pictures"] == 40
    assert set(scores) == {"pictures", "accuracy_clean", *(f"accuracy_{row['method']}_{row['eps']:g}" for row in rows)}


def test_attacking_more_pictures_than_there_are_takes_them_all(network: Cnn, vision_data: Path) -> None:
    assert attack(network, vision_data, images=1000).scores["pictures"] == 50


def test_examples_were_right_and_are_wrong(network: Cnn, vision_data: Path) -> None:
    examples = attack(network, vision_data, eps=[0.3]).examples
    clean, attacked = (torch.from_numpy(examples[name]).permute(0, 3, 1, 2) for name in ("clean", "attacked"))
    assert clean.shape == (3, 1, 12, 12)
    verify(clean, attacked, eps=float(examples["eps"]))
    with torch.no_grad():
        assert network.cpu()(clean).argmax(1).tolist() == [int(name) for name in examples["before"]]
        assert network(attacked).argmax(1).tolist() == [int(name) for name in examples["after"]]
    assert (examples["before"] != examples["after"]).all()


def test_a_network_that_no_attack_fools_has_no_examples(vision_data: Path) -> None:
    class Certain(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            bars = (images[:, 0].mean(2)[:, :10] * 100).round()  # flat: no gradient tells an attack where to go
            return bars - bars.mean(1, keepdim=True) + 0 * images.sum()

    result = attack(Certain(), vision_data, eps=[0.01])
    assert result.scores["accuracy_pgd_0.01"] == result.scores["accuracy_clean"] == 1.0
    assert result.examples == {}


def test_attacking_twice_gives_the_same_files(network: Cnn, vision_data: Path) -> None:
    first, again = attack(network, vision_data), attack(network, vision_data)
    assert first.scores == again.scores and first.table.equals(again.table)
    assert first.examples.keys() == again.examples.keys()
    assert all(np.array_equal(first.examples[name], again.examples[name]) for name in first.examples)
