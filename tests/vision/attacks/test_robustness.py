"""The robustness evaluation: scores, table and examples."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.domains import AttackResult
from cvnlp.networks import device
from cvnlp.params.attacks import VisionAttack
from cvnlp.params.datasets import Canvases
from cvnlp.vision import attacks
from cvnlp.vision.attacks import ATTACKS, AttackConfig
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.models.cnn import Cnn


def attack(network: nn.Module, data: Path, batch_size: int = 512, **options: Any) -> AttackResult:
    chosen = VisionAttack(**{"eps": [0.15, 0.05], "images": 40, "steps": 4, "examples": 3} | options)
    return attacks.attack(
        network.to(device()), data, prepared.read_facts(data, VisionFacts), chosen, batch_size=batch_size
    )


def test_every_attack_is_made_at_every_eps(network: Cnn, vision_data: Path) -> None:
    result = attack(network, vision_data)
    scores, rows = result.scores, result.table.to_dict("records")
    assert [(row["eps"], row["method"]) for row in rows] == [
        (eps, name) for eps in ("0.05", "0.15") for name in ATTACKS
    ]
    for row in rows:
        assert scores[f"accuracy_{row['method']}_{row['eps']}"] == row["accuracy"]
        assert 0 <= row["accuracy"] <= scores["accuracy_clean"]
    assert scores["images"] == 40
    assert set(scores) == {"images", "accuracy_clean", *(f"accuracy_{row['method']}_{row['eps']}" for row in rows)}


def test_strengths_that_differ_in_the_eighth_digit_have_scores_of_their_own(network: Cnn, vision_data: Path) -> None:
    result = attack(network, vision_data, eps=[0.1, 0.10000001, 1.0])
    assert {f"accuracy_pgd_{eps}" for eps in ("0.1", "0.10000001", "1")} <= set(result.scores)
    assert list(dict.fromkeys(result.table["eps"])) == ["0.1", "0.10000001", "1"]


def test_strength_of_zero_leaves_the_accuracy_of_clean_images(network: Cnn, vision_data: Path) -> None:
    result = attack(network, vision_data, eps=[0.0])
    assert {result.scores[f"accuracy_{name}_0"] for name in ATTACKS} == {result.scores["accuracy_clean"]}
    assert result.examples == {}


def test_images_of_the_background_are_not_attacked(vision_data: Path) -> None:
    class Nothing(nn.Module):
        """Predicts the last class for every image."""

        def forward(self, images: Tensor) -> Tensor:
            return torch.eye(10)[[9] * len(images)].to(images) + 0 * images.sum()

    facts = prepared.read_facts(vision_data, VisionFacts)
    canvases = Canvases(count=1, size=[24, 24], pictures=1, background=0.1)
    options = VisionAttack(eps=[0.1], images=50, steps=1)
    for known, images, accuracy in ((facts, 50, 0.1), (facts.model_copy(update={"canvases": canvases}), 45, 0.0)):
        scores = attacks.attack(Nothing(), vision_data, known, options).scores
        assert scores["images"] == images
        assert scores["accuracy_clean"] == scores["accuracy_pgd_0.1"] == pytest.approx(accuracy)


def test_more_images_than_exist_attack_all_of_them(network: Cnn, vision_data: Path) -> None:
    assert attack(network, vision_data, images=1000).scores["images"] == 50


def test_examples_are_misclassified_only_after_the_attack(network: Cnn, vision_data: Path) -> None:
    examples = attack(network, vision_data, eps=[0.3]).examples
    clean, attacked = (torch.from_numpy(examples[name]).permute(0, 3, 1, 2) for name in ("clean", "attacked"))
    assert clean.shape == (3, 1, 12, 12)
    check_attacked(clean, attacked, AttackConfig(float(examples["eps"])))
    with torch.no_grad():
        assert network.cpu()(clean).argmax(1).tolist() == [int(name) for name in examples["before"]]
        assert network(attacked).argmax(1).tolist() == [int(name) for name in examples["after"]]
    assert (examples["before"] != examples["after"]).all()


def test_robust_network_has_no_examples(vision_data: Path) -> None:
    class Certain(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            bars = (images[:, 0].mean(2)[:, :10] * 100).round()  # flat: no gradient tells an attack where to go
            return bars - bars.mean(1, keepdim=True) + 0 * images.sum()

    result = attack(Certain(), vision_data, eps=[0.01])
    assert result.scores["accuracy_pgd_0.01"] == result.scores["accuracy_clean"] == 1.0
    assert result.examples == {}


def test_result_is_deterministic(network: Cnn, vision_data: Path) -> None:
    first, again = attack(network, vision_data), attack(network, vision_data)
    assert first.scores == again.scores and first.table.equals(again.table)
    assert first.examples.keys() == again.examples.keys()
    assert all(np.array_equal(first.examples[name], again.examples[name]) for name in first.examples)


@pytest.mark.parametrize("batch_size", [7, 20, 40])
def test_batch_size_does_not_change_the_result(network: Cnn, vision_data: Path, batch_size: int) -> None:
    whole, parts = attack(network, vision_data), attack(network, vision_data, batch_size=batch_size)
    assert parts.scores == whole.scores and parts.table.equals(whole.table)
    for name in ("clean", "before", "after", "eps"):
        assert np.array_equal(parts.examples[name], whole.examples[name])
    # the sign of a gradient near zero may differ
    assert (np.abs(parts.examples["attacked"] - whole.examples["attacked"]) > 1e-5).mean() < 0.01


def test_attack_that_breaks_its_limits_stops_the_evaluation(
    network: Cnn, vision_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cheat(network: nn.Module, images: Tensor, labels: Tensor, config: AttackConfig, **_: Any) -> Tensor:
        return 1 - images

    monkeypatch.setitem(ATTACKS, "cheat", cheat)
    with pytest.raises(RuntimeError, match=r"an attack changed a pixel by .*, more than eps"):
        attack(network, vision_data)
