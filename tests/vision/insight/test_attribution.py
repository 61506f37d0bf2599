"""Attribution: the axioms of integrated gradients, and the drop of the probability when pixels are deleted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.networks import parameter_count
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.insight.attribution import analyse_attribution, deletion_drop, integrated_gradients
from cvnlp.vision.models import MODELS, Classifier
from make_networks import classifier

pytest.importorskip("captum")


class OnePixel(nn.Module):
    """The second class if one pixel is bright, whatever the others are."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([torch.full((len(images),), 5.0), 10 * images[:, 0, 3, 4]], dim=1)


def build(name: str) -> Classifier:
    torch.manual_seed(0)
    return classifier(name, (12, 12, 1), 10, mean=0.2, std=0.2).eval()


def pictures(count: int = 6, channels: int = 1) -> Tensor:
    return torch.rand(count, channels, 12, 12, generator=torch.Generator().manual_seed(1))


TRAINABLE = [name for name in MODELS if parameter_count(build(name))]


@pytest.mark.parametrize("name", TRAINABLE)
def test_attributions_sum_to_the_difference_of_the_logits(name: str) -> None:
    network, images, targets = build(name), pictures(), torch.tensor([0, 1, 2, 3, 4, 9])
    found, gaps = integrated_gradients(network, images, targets, steps=200)
    with torch.no_grad():
        rises = (network(images) - network(torch.zeros_like(images))).gather(1, targets[:, None])[:, 0]
    assert found.shape == images.shape
    assert (found.flatten(1).sum(1) - rises).tolist() == pytest.approx(gaps.tolist(), abs=1e-4)
    assert gaps.abs().sum() < 0.05 * rises.abs().sum()


def test_attributions_of_a_linear_network_are_weight_times_pixel() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, 3))
    images = pictures(channels=2)
    found, _ = integrated_gradients(network, images, torch.ones(6, dtype=torch.int64), steps=3)
    assert torch.allclose(found, images * network[1].weight[1].view(1, 2, 12, 12), atol=1e-5)


def test_attributions_are_the_mean_gradient_on_the_path_from_black() -> None:
    network, images = build("mlp"), pictures(1)
    found, _ = integrated_gradients(network, images, torch.tensor([3]), steps=300)
    way = ((torch.arange(2000) + 0.5) / 2000).view(-1, 1, 1, 1) * images
    way.requires_grad_()
    gradient = torch.autograd.grad(network(way)[:, 3].sum(), way)[0].mean(0)
    assert torch.allclose(found[0], gradient * images[0], atol=2e-3)


def test_pixel_without_influence_has_an_attribution_of_zero() -> None:
    found, _ = integrated_gradients(OnePixel(), pictures(), torch.ones(6, dtype=torch.int64), steps=4)
    others = torch.ones(12, 12, dtype=torch.bool)
    others[3, 4] = False
    assert not found[:, 0, others].any() and found[:, 0, 3, 4].all()


def test_batch_size_does_not_change_the_attributions() -> None:
    network, targets = build("mlp"), torch.zeros(6, dtype=torch.int64)
    whole, _ = integrated_gradients(network, pictures(), targets, steps=20)
    parts, _ = integrated_gradients(network, pictures(), targets, steps=20, batch_size=12)
    assert torch.allclose(whole, parts, atol=1e-6)


def test_deletion_blackens_a_fifth_of_the_lit_pixels_in_order_of_rank() -> None:
    seen = []

    class Watched(OnePixel):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.clone())
            return super().forward(images)

    images = torch.zeros(1, 1, 12, 12)
    images[0, 0, 2:5, 3:8] = 0.9
    ranking = torch.arange(144.0).view(1, 12, 12)
    deletion_drop(Watched(), images, torch.tensor([1]), ranking)
    gone = (seen[0] != seen[1]).nonzero()
    assert gone[:, 2:].tolist() == [[4, 5], [4, 6], [4, 7]]
    assert not seen[1][tuple(gone.T)].any()


def test_deleting_the_decisive_pixel_lowers_the_probability() -> None:
    images, targets = torch.ones(3, 1, 12, 12), torch.ones(3, dtype=torch.int64)
    found, _ = integrated_gradients(OnePixel(), images, targets, steps=4)
    assert (deletion_drop(OnePixel(), images, targets, found.sum(1)) > 0.9).all()
    assert (deletion_drop(OnePixel(), images, targets, -found.sum(1)).abs() < 1e-6).all()


def test_black_image_has_no_drop() -> None:
    assert deletion_drop(OnePixel(), torch.zeros(1, 1, 12, 12), torch.tensor([0]), torch.zeros(1, 12, 12)).tolist() == [
        0.0
    ]


def test_analysis_writes_attributions_of_validation_images(vision_data: Path, tmp_path: Path) -> None:
    classes = [f"class {number}" for number in range(10)]
    facts = prepared.read_facts(vision_data, VisionFacts).model_copy(update={"classes": classes})
    options = VisionInsight(attribution_images=7, attribution_steps=50)
    scores = analyse_attribution(build("cnn"), vision_data, facts, options, tmp_path)
    table = pd.read_csv(tmp_path / "attribution.csv")
    images, attributions = (np.load(tmp_path / f"{name}.npy") for name in ("attributed_images", "attributions"))
    assert images.shape == (7, 12, 12, 1) and attributions.shape == (7, 12, 12)
    assert np.array_equal(images * 255, np.load(vision_data / "validation_images.npy")[table["index"]])
    labels = np.load(vision_data / "validation_labels.npy")[table["index"]]
    assert list(table["actual"]) == [classes[label] for label in labels]
    sums = attributions.sum((1, 2))
    assert table["attributed"].to_numpy() == pytest.approx(sums, abs=1e-4)
    gap = np.abs(sums - table["logit_above_black"]).sum() / np.abs(table["logit_above_black"]).sum()
    assert scores["completeness_error"] == pytest.approx(gap, abs=1e-3)
    assert scores["deletion_drop"] == pytest.approx(table["drop"].mean(), rel=1e-4)


class Step(nn.Module):
    """The second class for bright images: its logit jumps, and has no gradient elsewhere."""

    def forward(self, images: Tensor) -> Tensor:
        bright = (images.mean((1, 2, 3)) > 0.01).float() + 0 * images.sum((1, 2, 3))
        return torch.nn.functional.pad((10 * bright)[:, None], (1, 8))


@pytest.mark.parametrize("factor", [1.0, float("inf")], ids=["a step", "an overflow"])
def test_attributions_that_do_not_sum_to_the_difference_of_the_logits_are_left_out(
    factor: float, vision_data: Path, tmp_path: Path
) -> None:
    class Network(Step):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) * factor

    facts = prepared.read_facts(vision_data, VisionFacts)
    scores = analyse_attribution(Network(), vision_data, facts, VisionInsight(attribution_images=4), tmp_path)
    assert set(scores) == {"completeness_error"} and not scores["completeness_error"] < 0.9
    assert [path.name for path in tmp_path.iterdir()] == ["attribution_not_valid.txt"]
    reason = (tmp_path / "attribution_not_valid.txt").read_text()
    assert "no continuous function" in reason and "attribution_steps" in reason
