"""Multiply-adds, compared with counts by hand."""

import copy
from typing import Any

import pytest
import torch
import torchvision

from cvnlp.vision.models import MODELS, Classifier, multiply_adds
from make_networks import classifier


def build(name: str, shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10, **options: Any) -> Classifier:
    torch.manual_seed(0)
    return classifier(name, shape, classes, mean=0.3, std=0.2, **options)


C1, C3, C5, F6 = 28 * 28 * 6 * 25, 10 * 10 * 16 * 6 * 25, 120 * 16 * 25, 84 * 120
BLOCK = {"filters": 4, "kernel_size": 5, "padding": "valid", "pooling": "none"}


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (build("linear"), 784 * 10),
        (build("linear", (6, 7, 3), classes=5), 6 * 7 * 3 * 5),
        (build("mlp", hidden=[100, 50]), 784 * 100 + 100 * 50 + 50 * 10),
        # 4 maps of 24 x 24 cells, each of 5 x 5 of the picture; then the classes
        (build("cnn", blocks=[BLOCK], hidden=[]), 24 * 24 * 4 * 25 + 24 * 24 * 4 * 10),
        (build("cnn", (9, 9, 3), blocks=[BLOCK | {"stride": 2}], hidden=[]), 9 * 4 * 75 + 9 * 4 * 10),
        (build("lenet5", connections="full"), C1 + C3 + C5 + F6 + 840),
        (build("lenet5"), C1 + C3 + C5 + F6 + 840),  # zeros of the connection table are multiplied, too
        (build("rules"), 0),
    ],
    ids=["linear", "linear of another size", "mlp", "cnn", "strided cnn", "lenet5", "lenet5 with its table", "rules"],
)
def test_the_count_equals_the_count_by_hand(network: Classifier, count: int) -> None:
    assert multiply_adds(network) == count


def test_alexnet_has_the_multiply_adds_that_torchvision_states() -> None:
    with torch.device("meta"):
        network = build("alexnet", (224, 224, 3), classes=1000, form="imagenet")
    stated = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.meta["_ops"]  # billions
    assert round(multiply_adds(network) / 1e9, 3) == stated


@pytest.mark.parametrize("name", sorted(MODELS))
def test_counting_does_not_change_the_network(name: str) -> None:
    network = build(name, (12, 12, 1)).train()
    before, drawn = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    multiply_adds(network)
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert {weight.device.type for weight in network.parameters()} <= {"cpu"}
    assert all(layer.training for layer in network.modules())
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"rules"}))
def test_every_network_with_layers_has_multiply_adds(name: str) -> None:
    count = multiply_adds(build(name, (12, 12, 1)))
    assert isinstance(count, int)
    assert count > 0
