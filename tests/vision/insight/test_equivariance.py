"""Equivariance: the difference between the map of a shifted image and the shifted map."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.equivariance import equivariance_errors
from cvnlp.vision.insight.receptive_fields import receptive_fields


class Ramp(nn.Module):
    """Multiplies by the column: the output does not shift with the image."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps * torch.linspace(0, 1, maps.shape[3])


def pictures(count: int = 4, channels: int = 2, height: int = 15, width: int = 11) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(1))


def differences(
    network: Any, shifts: list[int], images: Tensor | None = None, **options: int
) -> dict[tuple[str, int], float]:
    torch.manual_seed(0)
    images = pictures() if images is None else images
    layers = network.feature_layers()
    table = equivariance_errors(
        network, layers, images, receptive_fields(network, layers, images[:1]), shifts, **options
    )
    return {(row.layer, row.shift): row.difference for row in table.itertuples()}


@pytest.mark.parametrize("padding", [0, 1])
def test_shifts_by_multiples_of_the_stride_have_no_error(stack: Any, padding: int) -> None:
    layers = [nn.Conv2d(2, 4, 3, padding=padding), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=padding)]
    found = differences(stack(*layers, nn.Conv2d(4, 4, 2, stride=2)), [1, 2, 3, 4, 8])
    strides = {"layer1": 1, "layer2": 1, "layer3": 2, "layer4": 2, "layer5": 4}
    for (layer, shift), difference in found.items():
        if shift % strides[layer] == 0:
            assert difference < 1e-6, (layer, shift)
        else:
            assert difference > 0.01, (layer, shift)


def test_map_that_depends_on_the_position_has_an_error(stack: Any) -> None:
    found = differences(stack(nn.Conv2d(2, 4, 3), Ramp()), [1, 3])
    assert found["layer1", 1] < 1e-6 and found["layer2", 1] > 1e-3
    assert found["layer2", 3] > found["layer2", 1]


def test_error_worked_out_by_hand(stack: Any) -> None:
    """A stride of 2 on one bright pixel: shifted by one it vanishes, where interpolation expects two halves."""
    network = stack(nn.Conv2d(1, 1, 1, stride=2, bias=False))
    nn.init.ones_(network.features[0].weight)
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 1
    margin = 1 + 2 + 1  # of field, stride and shift: the pixel lies at an even place
    assert (4 + margin) % 2 == 0
    # |(0, 0) - (1/2, 1/2)| / |(1/2, 1/2)|
    assert differences(network, [1], image)["layer1", 1] == pytest.approx(1.0)


def test_layers_without_a_known_field_are_left_out(stack: Any) -> None:
    network = stack(nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3))
    images, layers = pictures(), network.feature_layers()
    fields = receptive_fields(network, layers, images[:1]) | {"layer2": None}
    assert set(equivariance_errors(network, layers, images, fields, [1])["layer"]) == {"layer1"}
    assert not len(equivariance_errors(network, layers, images, {}, [1]))


def test_dead_map_has_no_error(stack: Any) -> None:
    network = stack(nn.Conv2d(2, 4, 3))
    nn.init.zeros_(network.features[0].weight)
    assert np.isnan(differences(network, [1])["layer1", 1])


def test_batch_size_does_not_change_the_result(stack: Any) -> None:
    torch.manual_seed(0)
    network = stack(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2))
    assert differences(network, [1], batch_size=3) == pytest.approx(differences(network, [1]), abs=1e-6)
