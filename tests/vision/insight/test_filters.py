"""Filters: weights of the first layer, images with the highest activation, and the patches that a unit covers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvnlp.data import prepared
from cvnlp.vision.insight.filters import (
    OUTSIDE,
    TopActivations,
    cut_patches,
    feature_maps,
    first_layer_filters,
    top_activations,
)
from cvnlp.vision.insight.layers import last_layers
from cvnlp.vision.insight.receptive_fields import Field, receptive_fields


def test_filters_of_a_first_convolution() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.Conv2d(3, 5, (2, 4)), nn.Conv2d(5, 7, 3))
    weights = first_layer_filters(network, [12, 12, 3], 4)
    assert weights.shape == (4, 2, 4, 3)
    assert weights[1, 0, 3, 2] == network[1].weight[1, 2, 0, 3].item()


def test_filters_of_a_first_fully_connected_layer() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 3, 5))
    weights = first_layer_filters(network, [2, 3, 3], 9)
    image = torch.rand(1, 3, 2, 3)
    answer = (image[0].permute(1, 2, 0).numpy() * weights[4]).sum() + network[1].bias[4].item()
    assert answer == pytest.approx(network(image)[0, 4].item(), abs=1e-6)


@pytest.mark.parametrize("network", [nn.ReLU(), nn.Linear(5, 2), nn.Conv2d(2, 4, 3)])
def test_weights_that_are_no_filters_of_an_image(network: nn.Module) -> None:
    assert first_layer_filters(network, [12, 12, 3], 4) is None


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    """Six black images of 9 x 8, each with one dot at a different position, the third the brightest."""
    images = np.zeros((6, 9, 8, 1), np.uint8)
    for number, value in enumerate((50, 100, 250, 150, 200, 75)):
        images[number, number + 1, 7 - number] = value
    prepared.save_array(tmp_path, "train_images", images)
    prepared.save_array(tmp_path, "train_labels", np.zeros(6, np.uint8))
    return tmp_path


def detector(stack: Any) -> nn.Module:
    """The first filter is active at bright pixels, the second at dark ones, the third nowhere."""
    network = stack(nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.ReLU())
    with torch.no_grad():
        network.features[0].weight.zero_()
        network.features[0].weight[:2, 0, 1, 1] = torch.tensor([1.0, -1.0])
    return network


def find(network: Any, data: Path, rows: list[int], **options: int) -> TopActivations:
    return top_activations(network, network.feature_layers(), data, "train", np.array(rows), **options)["layer2"]


def test_brightest_images_come_first_with_the_position_of_their_dot(dots: Path, stack: Any) -> None:
    found = find(detector(stack), dots, [0, 1, 2, 3, 4, 5], filters=1, patches=4)
    assert found.rows.tolist() == [[2, 4, 3, 1]]
    assert found.positions.tolist() == [[[3, 5], [5, 3], [4, 4], [2, 6]]]
    assert found.values[0].tolist() == pytest.approx([250 / 255, 200 / 255, 150 / 255, 100 / 255])


def test_only_the_given_rows_are_searched(dots: Path, stack: Any) -> None:
    assert find(detector(stack), dots, [0, 5], filters=1, patches=4).rows.tolist() == [[5, 0]]


def test_filters_with_constant_activation_are_dead(dots: Path, stack: Any) -> None:
    assert find(detector(stack), dots, [0, 1, 2], filters=1, patches=1).dead == pytest.approx(2 / 3)


def test_batch_size_does_not_change_the_result(dots: Path, stack: Any) -> None:
    whole = find(detector(stack), dots, [0, 1, 2, 3, 4, 5], filters=2, patches=5)
    parts = find(detector(stack), dots, [0, 1, 2, 3, 4, 5], filters=2, patches=5, batch_size=2)
    assert all(np.array_equal(getattr(whole, name), getattr(parts, name)) for name in ("rows", "positions", "values"))


def test_patch_is_the_receptive_field_of_the_unit(dots: Path, stack: Any) -> None:
    """The dot is in the centre; outside the image the patch is grey."""
    network, images = detector(stack), prepared.load_array(dots, "train_images")
    fields = receptive_fields(network, network.feature_layers(), torch.zeros(1, 1, 9, 8))["layer2"]
    cut = cut_patches(images, find(network, dots, [0, 2], filters=1, patches=2), fields)
    assert cut.shape == (1, 2, 3, 3, 1)
    assert cut[0, 0, :, :, 0].tolist() == [[0, 0, 0], [0, 250, 0], [0, 0, 0]]
    assert cut[0, 1, :, :, 0].tolist() == [[0, 0, OUTSIDE], [0, 50, OUTSIDE], [0, 0, OUTSIDE]]


def test_unit_has_the_same_activation_for_its_patch_alone(vision_data: Path, stack: Any) -> None:
    torch.manual_seed(0)
    network = stack(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU())
    found = top_activations(
        network, network.feature_layers(), vision_data, "train", np.arange(40), filters=4, patches=3
    )["layer4"]
    fields = receptive_fields(network, network.feature_layers(), torch.zeros(1, 1, 12, 12))["layer4"]
    cut = cut_patches(prepared.load_array(vision_data, "train_images"), found, fields)
    assert cut.shape == (4, 3, 8, 8, 1)
    with torch.no_grad():
        alone = network(torch.from_numpy(cut[..., 0]).flatten(0, 1)[:, None].float() / 255)
    for number in range(4):
        assert alone.view(4, 3, 4)[number, :, number].numpy() == pytest.approx(found.values[number], abs=1e-5)


@pytest.mark.parametrize("fields", [None, (Field(30, 1, -15), Field(30, 1, -15))])
def test_field_larger_than_the_image_gives_the_whole_image(fields: Any) -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 6, 5, 3), dtype=np.uint8)
    found = TopActivations(np.array([[1]]), np.array([[[2, 1]]]), np.array([[1.0]]), 0.0)
    assert np.array_equal(cut_patches(images, found, fields)[0, 0], images[1])


def test_feature_maps_are_the_outputs_of_the_layers(stack: Any) -> None:
    network, image = stack(nn.Conv2d(1, 5, 3), nn.ReLU()), torch.rand(1, 1, 9, 8)
    maps = feature_maps(network, network.feature_layers(), image, 2)
    assert maps["layer1"].shape == (2, 7, 6)
    assert np.array_equal(maps["layer2"], network(image)[0, :2].detach().numpy())


def test_block_ends_with_its_last_layer() -> None:
    assert last_layers(["border", "block1.convolution", "block1.pooling", "C3.act"]) == {
        "border": "border",
        "block1": "block1.pooling",
        "C3": "C3.act",
    }
    assert last_layers(["stage1.block 2.first", "stage1.block 2.last"]) == {"stage1_block_2": "stage1.block 2.last"}
