"""Flags of an untrustworthy robustness: each is raised by a network or result that deserves it, and not by others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.launch.devices import device
from cvnlp.params.attacks import VisionAttack
from cvnlp.vision import attacks
from cvnlp.vision.attacks import flags, robustness
from cvnlp.vision.attacks.collected import Subject, count_differing
from cvnlp.vision.attacks.ensemble import share_with_gradient
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn

OPTIONS: dict[str, Any] = {"smallest": None, "targeted": None, "spatial": None, "corruptions": None, "images": 50}


class Masked(nn.Module):
    """A network whose inputs or outputs are changed, so that gradients are of no use."""

    def __init__(self, network: nn.Module, change: Callable[[Tensor], Tensor], *, before: bool = False) -> None:
        super().__init__()
        self.network, self.change, self.before = network, change, before

    def forward(self, images: Tensor) -> Tensor:
        if self.before:
            outputs: Tensor = self.network(self.change(images))
            return outputs
        return self.change(self.network(images))


def scaled(network: nn.Module) -> nn.Module:
    return Masked(network, lambda outputs: 1e4 * outputs)


def saturated(network: nn.Module) -> nn.Module:
    return Masked(network, lambda outputs: (1e3 * outputs).clamp(-1e4, 1e4).tanh() * 200)


def quantised(network: nn.Module) -> nn.Module:
    return Masked(network, lambda images: (images * 8).round() / 8, before=True)


def noisy(network: nn.Module) -> nn.Module:
    return Masked(network, lambda images: nn.functional.dropout(images, 0.2, training=True), before=True)


def probabilities(network: nn.Module) -> nn.Module:
    return Masked(network, lambda outputs: outputs.softmax(1))


def raised(network: nn.Module, pictures: tuple[Tensor, Tensor]) -> set[str]:
    images, labels = (side[:40].to(device()) for side in pictures)
    found = flags.flags_of_network(network.to(device()).eval(), images, labels, norm="linf")
    return {flag.name for flag in found if flag.raised}


def test_a_plain_network_raises_none(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    assert raised(network, pictures) == set()


@pytest.mark.parametrize(
    ("mask", "flag"),
    [
        (noisy, "randomised_output"),
        (probabilities, "probabilities"),
        (scaled, "zero_gradients"),
        (saturated, "zero_gradients"),
        (quantised, "zero_gradients"),
        (quantised, "large_eps_survivors"),
    ],
)
def test_a_masked_network_is_flagged(
    mask: Callable[[nn.Module], nn.Module], flag: str, network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    assert flag in raised(mask(network), pictures)


def test_an_attack_that_changes_images_at_eps_0_is_flagged(
    network: Cnn, pictures: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flags, "pgd", lambda network, images, *_, **__: images + 0.01)
    assert "eps_0_changes" in raised(network, pictures)


@pytest.mark.parametrize(
    ("accuracies", "gain", "expected"),
    [
        ([0.9, 0.5, 0.1], 0.0, set()),
        ([0.9, 0.5, 0.6], 0.0, {"larger_eps_weaker"}),
        ([0.9, 0.5], 0.1, {"black_box_stronger"}),
        ([], 0.01, set()),  # a single image of a hundred may be chance
    ],
)
def test_flags_of_the_results(accuracies: list[float], gain: float, expected: set[str]) -> None:
    found = flags.flags_of_attacks(accuracies, black_box_gain=gain, images=100)
    assert {flag.name for flag in found if flag.raised} == expected


def test_more_effort_that_breaks_survivors_is_flagged(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = (side[:40].to(device()) for side in pictures)
    ball = Ball("linf", 0.3)  # breaks most images, which are said to have survived
    assert flags.flag_of_effort(network, images, labels, ball, steps=5, total=40).raised
    assert not flags.flag_of_effort(network, images, labels, Ball("linf", 1e-4), steps=5, total=40).raised
    assert not flags.flag_of_effort(network, images[:0], labels[:0], ball, steps=5, total=40).raised


# The whole evaluation


def attack(network: nn.Module, data: Path, folder: Path) -> tuple[dict[str, float], set[str]]:
    """Scores and names of the raised flags."""
    folder.mkdir(exist_ok=True)
    options = VisionAttack.model_validate(OPTIONS | {"eps": [0.1, 0.2]})
    facts = prepared.read_facts(data, VisionFacts)
    scores = attacks.attack(network.to(device()).eval(), data, facts, options, folder).scores
    table = pd.read_csv(folder / "flags.csv")
    assert scores["flags_raised"] == table["raised"].sum()
    return scores, set(table[table["raised"] == 1]["flag"])


@pytest.mark.parametrize("mask", [scaled, saturated, quantised])
def test_a_masked_network_is_flagged_and_its_worst_case_is_not_above_the_plain_one(
    mask: Callable[[nn.Module], nn.Module], network: Cnn, vision_data: Path, tmp_path: Path
) -> None:
    plain, none = attack(network, vision_data, tmp_path / "plain")
    masked, found = attack(mask(network), vision_data, tmp_path / "masked")
    assert none == set() and found
    for eps in ("0.1", "0.2"):
        assert masked[f"accuracy_worst_case_{eps}"] <= plain[f"accuracy_worst_case_{eps}"] + 0.1
    assert masked["accuracy_worst_case_0.2"] <= masked["accuracy_clean"] / 2


def test_square_breaks_what_gradients_cannot(network: Cnn, vision_data: Path, tmp_path: Path) -> None:
    """A quantised input has no gradient; where a part of it remains, the attacks without gradients are stronger."""
    half = Masked(network, lambda images: (images * 8).round() / 8 + 1e-3 * images, before=True)
    scores, found = attack(half, vision_data, tmp_path / "half")
    assert scores["accuracy_worst_case_0.2"] < scores["accuracy_clean"]
    assert found


def test_a_changed_picture_is_not_reproduced(network: Cnn, vision_data: Path, tmp_path: Path) -> None:
    attack(network, vision_data, tmp_path / "plain")
    found: list[Any] = []
    original = robustness.count_differing
    with pytest.MonkeyPatch.context() as patch:

        def tampered(subject: Subject, collected: Any) -> int:
            pictures = np.array(subject.pictures())
            pictures[:] = 0.0
            prepared.save_array(subject.folder, "attacked", pictures)
            found.append(original(subject, collected))
            return found[-1]

        patch.setattr(robustness, "count_differing", tampered)
        _, raised_flags = attack(network, vision_data, tmp_path / "tampered")
    assert found[0] > 0 and "not_reproduced" in raised_flags
    assert count_differing is original


def test_gradients_are_found_where_there_are_some(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    assert share_with_gradient(network.cpu(), images, labels) == 1
    assert share_with_gradient(quantised(network).cpu(), images, labels) == 0
