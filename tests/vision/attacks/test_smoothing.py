"""Randomised smoothing: against the closed form for a linear classifier, and SciPy's interval."""

import pytest
import torch
from scipy.stats import binomtest, norm
from torch import Tensor, nn

from cvnlp.params.attacks import Certificate
from cvnlp.vision.attacks.smoothing import (
    ABSTAIN,
    certified_accuracy,
    certified_radius,
    certify,
    lower_bound,
)
from cvnlp.vision.models.cnn import Cnn


class Plane(nn.Module):
    """Two classes on either side of a plane through the mean of all images: the smoothed network is the same."""

    def __init__(self, pixels: int = 16) -> None:
        super().__init__()
        normal = torch.randn(pixels, generator=torch.Generator().manual_seed(0))
        self.register_buffer("normal", normal / normal.norm())

    def distances(self, images: Tensor) -> Tensor:
        return (images - 0.5).flatten(1) @ self.normal

    def forward(self, images: Tensor) -> Tensor:
        distances = self.distances(images)
        return torch.stack([-distances, distances], 1)


def make_images(count: int = 60) -> Tensor:
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(1))


OPTIONS = Certificate(sigma=0.25, selection_samples=50, samples=600, failure=0.001)


def test_certificate_of_a_linear_classifier_is_at_most_the_distance_to_its_plane() -> None:
    """And close to it: the exact radius of the smoothed network is the distance."""
    network, images = Plane(), make_images()
    distances = network.distances(images)
    table = certify(network, images, (distances > 0).long(), OPTIONS)
    radii, exact = torch.tensor(table["radius"]), distances.abs().double()
    assert (radii <= exact).all()  # fails once in 17 seeds at most: the seed is fixed
    certain = norm.ppf(lower_bound(600, 600, 0.001)) * 0.25  # the largest radius that so many samples can show
    assert (radii > (exact - 0.15).clamp(max=certain - 0.05)).all()
    assert (table["correct"] == (table["radius"] > 0)).all()


def test_at_most_the_share_of_failures_is_too_large() -> None:
    """With a high probability of failure, so that some certificates do fail."""
    network, images = Plane(), make_images(1).expand(500, -1, -1, -1)
    distances = network.distances(images)
    options = Certificate(sigma=0.25, selection_samples=20, samples=100, failure=0.2)
    table = certify(network, images, (distances > 0).long(), options)
    failed = float((torch.tensor(table["radius"]) > distances.abs()).double().mean())
    assert 0.02 < failed < 0.2 + 3 * (0.2 * 0.8 / 500) ** 0.5


@pytest.mark.parametrize(("count", "samples"), [(0, 10), (1, 10), (7, 10), (10, 10), (990, 1000), (501, 1000)])
@pytest.mark.parametrize("failure", [0.001, 0.05])
def test_lower_bound_is_that_of_scipy(count: int, samples: int, failure: float) -> None:
    expected = binomtest(count, samples, alternative="greater").proportion_ci(1 - failure, method="exact").low
    assert lower_bound(count, samples, failure) == pytest.approx(float(expected), abs=1e-12)


def test_radius_is_that_of_the_paper() -> None:
    """100,000 samples of one class, failure 0.001: 3.8 sigma, the largest radius of Cohen et al. 2019."""
    assert certified_radius(100_000, 100_000, 0.25, 0.001) == pytest.approx(3.8 * 0.25, abs=0.005)
    assert certified_radius(100, 200, 0.25, 0.001) == 0


def test_smoothed_network_abstains_near_a_decision_boundary() -> None:
    network, grey = Plane(), torch.full((3, 1, 4, 4), 0.5)
    table = certify(network, grey, torch.tensor([0, 1, 0]), OPTIONS)
    assert table["predicted"].tolist() == [ABSTAIN] * 3
    assert table["radius"].tolist() == [0.0] * 3 and not table["correct"].any()


def test_wrong_classes_are_certified_but_not_correct() -> None:
    network, images = Plane(), make_images()
    labels = (network.distances(images) <= 0).long()
    table = certify(network, images, labels, OPTIONS)
    assert (table["predicted"] != ABSTAIN).any() and not table["correct"].any()
    assert certified_accuracy(table, [0.1])["accuracy"].tolist() == [0.0, 0.0]


def test_certified_accuracy_falls_with_the_radius() -> None:
    network, images = Plane(), make_images()
    table = certify(network, images, (network.distances(images) > 0).long(), OPTIONS)
    curve = certified_accuracy(table, [0.5, 0.1, 0.2])
    assert curve["radius"].tolist() == [0.0, 0.1, 0.2, 0.5]
    assert curve["accuracy"].is_monotonic_decreasing and curve["accuracy"][0] == table["correct"].mean() > 0
    assert curve["accuracy"][2] == ((table["radius"] >= 0.2) & table["correct"]).mean()


def test_result_of_an_image_depends_on_its_row_and_the_seed_alone(
    network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    options = Certificate(sigma=0.1, selection_samples=10, samples=40)
    table = certify(network, images[:4], labels[:4], options)
    torch.manual_seed(7)
    assert certify(network, images[:2], labels[:2], options).equals(table[:2])
    assert list(table.columns) == ["row", "predicted", "radius", "correct"]
