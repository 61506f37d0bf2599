"""Effective receptive fields: the smallest square with most of the gradient."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.effective_fields import gradient_magnitudes, measure_fields, smallest_square
from cvnlp.vision.insight.receptive_fields import receptive_fields


def pictures(height: int = 40, width: int = 36, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("share", "side"), [(0.1, 4), (0.35, 6), (0.9, 10), (1.0, 10)])
def test_square_with_a_share_of_uniform_mass(share: float, side: int) -> None:
    assert smallest_square(np.ones((10, 10)), share) == side


def test_square_is_located_at_the_mass_also_in_an_oblong_image() -> None:
    mass = np.zeros((8, 20))
    mass[6:, 15:18] = 1
    assert smallest_square(mass, 1.0) == 3
    assert smallest_square(np.ones((8, 20)), 1.0) == 20
    assert smallest_square(np.zeros((8, 20)), 0.9) == 0


def test_effective_field_depends_on_the_weights_and_the_measured_one_does_not(stack: Any) -> None:
    network = stack(nn.Conv2d(3, 3, 5, padding=2), nn.Tanh())
    with torch.no_grad():
        network.features[0].weight.zero_()
        network.features[0].weight[:, :, 2, 2] = 1
    before = {name: value.clone() for name, value in network.state_dict().items()}
    table, gradients = measure_fields(
        network, network, pictures(count=4), receptive_fields(network, network.feature_layers(), pictures())
    )
    assert list(table["effective"]) == [1, 1]
    assert list(table["measured_height"]) == list(table["field_height"]) == [5, 5]
    assert gradients["layer1"].shape == (2, 40, 36)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_channels_that_cancel_still_have_an_effective_field(stack: Any) -> None:
    network = stack(nn.Conv2d(3, 2, 3, padding=1))
    with torch.no_grad():
        network.features[0].weight[1] = -network.features[0].weight[0]
    assert gradient_magnitudes(network, pictures(count=8))["layer1"].any()


def test_measuring_is_deterministic(stack: Any) -> None:
    network = stack(nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2))
    first, second = (gradient_magnitudes(network, pictures(count=3)) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
