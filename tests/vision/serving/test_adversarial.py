"""The smallest perturbation that changes a class, on a linear network, where it is known exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cvnlp.params.attacks import PgdOptions
from cvnlp.params.network_config import VisionConfig
from cvnlp.params.processing import Decoding, PictureProcessing
from cvnlp.vision.attacks.gradient import targeted_pgd
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.serving import ImageClassifier
from cvnlp.vision.serving.adversarial import find_flip, save_flip
from cvnlp.vision.serving.explanation import save_explanation
from make_models import save_pictures
from make_networks import image_format, make_config

SIZE = 4
GREY = np.full((SIZE, SIZE, 1), 128, np.uint8)


def network(thresholds: list[float]) -> nn.Module:
    """Class 0 below a mean brightness of the first threshold, class 1 up to the second, and so on."""

    class Brightness(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.levels = nn.Parameter(torch.tensor([0.0, *thresholds]))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            mean = images.flatten(1).mean(1, keepdim=True)
            slopes = torch.arange(len(self.levels), dtype=torch.float32)
            return 100 * (mean * slopes - self.levels.cumsum(0))

    return Brightness()


def classifier(thresholds: list[float]) -> ImageClassifier:
    labels = tuple(["dark", "grey", "bright"][: len(thresholds) + 1])
    config = make_config("vision", "linear", image_format((SIZE, SIZE, 1), len(labels)))
    assert isinstance(config, VisionConfig)
    processing = PictureProcessing(classes=labels, decoding=Decoding(colour="grey"))
    return ImageClassifier(network(thresholds), config.model_copy(update={"processing": processing}))


def test_the_smallest_change_is_the_distance_to_the_threshold() -> None:
    flip = find_flip(classifier([0.6]), GREY)
    assert flip is not None
    assert (flip.before.label, flip.after.label) == ("dark", "grey")
    assert flip.eps == pytest.approx(0.6 - 128 / 255, abs=0.01)
    assert np.abs(flip.attacked - flip.clean).max() <= flip.eps + 1e-6
    assert flip.attacked.mean() > 0.6


def test_a_target_may_need_a_larger_change() -> None:
    flip = find_flip(classifier([0.6, 0.8]), GREY, target="bright")
    assert flip is not None
    assert (flip.before.label, flip.after.label) == ("dark", "bright")
    assert flip.eps == pytest.approx(0.8 - 128 / 255, abs=0.01)


def test_no_change_is_found_below_the_distance() -> None:
    assert find_flip(classifier([0.6]), GREY, max_eps=0.05) is None
    assert find_flip(classifier([0.6, 0.8]), GREY, target="bright", max_eps=0.2) is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [("blue", "'blue' is not a class; valid choices: dark, grey"), ("dark", "already classified as 'dark'")],
)
def test_a_target_that_cannot_be_reached_is_refused(target: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        find_flip(classifier([0.6]), GREY, target=target)


def test_targeted_pgd_stays_within_eps_and_stops_at_the_target() -> None:
    images = torch.full((2, 1, SIZE, SIZE), 0.5)
    images[1] = 0.65
    generator = torch.Generator().manual_seed(1)
    attacked = targeted_pgd(
        network([0.6, 0.8]), images, torch.tensor([1, 1]), Ball("linf", 0.2), PgdOptions(), generator=generator
    )
    assert float((attacked - images).abs().max()) <= 0.2 + 1e-6
    assert network([0.6, 0.8])(attacked).argmax(1).tolist() == [1, 1]
    assert torch.equal(attacked[1], images[1])  # it was classified as its target from the start


def test_pictures_are_drawn(tmp_path: Path) -> None:
    model = classifier([0.6])
    flip = find_flip(model, GREY)
    assert flip is not None
    save_flip(flip, tmp_path / "flip.png")
    (source,) = save_pictures(tmp_path, GREY[None])
    explained = save_explanation(model, str(source), model.predict(source)[0], tmp_path / "explained")
    for path in (tmp_path / "flip.png", explained):
        assert path.read_bytes().startswith(b"\x89PNG")
