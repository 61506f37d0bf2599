"""AlexNet: the large form equals that of torchvision; the small form has the same order of layers."""

import pytest
import torch
from torch import nn
from torchvision.models import alexnet

from cvnlp.networks import parameter_count
from cvnlp.vision.models.alexnet import AlexNet
from make_networks import classifier


def build(size: int, classes: int = 10, channels: int = 3, **options: object) -> AlexNet:
    torch.manual_seed(0)
    return classifier("alexnet", (size, size, channels), classes, **options).eval()


@pytest.mark.parametrize("size", [224, 227])
def test_large_form_has_the_parameters_of_torchvision(size: int) -> None:
    with torch.device("meta"):
        mine, reference = build(size, 1000, form="imagenet"), alexnet(weights=None)
    assert parameter_count(mine) == 61_100_840
    assert [weight.shape for weight in mine.parameters()] == [weight.shape for weight in reference.parameters()]


def test_large_form_gives_the_outputs_of_torchvision() -> None:
    mine, reference = build(224, 10, form="imagenet"), alexnet(weights=None, num_classes=10).eval()
    with torch.no_grad():
        for ours, theirs in zip(mine.parameters(), reference.parameters(), strict=True):
            theirs.copy_(ours)
        images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
        expected = reference((images - mine.mean) / mine.std)
        assert torch.allclose(mine(images), expected, atol=1e-6)
    assert expected.std() > 1e-3


@pytest.mark.parametrize("form", ["imagenet", "small"])
def test_both_forms_have_the_same_order_of_layers(form: str) -> None:
    kinds = [type(layer) for layer in build(64, form=form, width=0.1).modules() if not list(layer.children())]
    convolution, pooled = [nn.Conv2d, nn.ReLU], [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    head = [nn.Flatten, *[nn.Dropout, nn.Linear, nn.ReLU] * 2, nn.Linear]
    assert kinds == [*pooled, *pooled, *convolution, *convolution, *pooled, *head]


@pytest.mark.parametrize(("size", "left"), [(28, 4), (32, 4), (48, 6), (64, 8)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_form_halves_the_size_three_times(size: int, left: int, channels: int) -> None:
    network = build(size, channels=channels, width=0.25)
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in linear] == [left * left * 32, 256, 256]


@pytest.mark.parametrize(("width", "filters"), [(0.01, [1, 1, 2, 1, 1]), (0.5, [16, 48, 96, 64, 64])])
def test_width_multiplies_the_filters(width: float, filters: list[int]) -> None:
    convolutions = [layer for layer in build(28, width=width).modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == filters


def test_dropout_is_applied_to_the_fully_connected_layers() -> None:
    assert [layer.p for layer in build(28).modules() if isinstance(layer, nn.Dropout)] == [0.5, 0.5]
    assert [layer.p for layer in build(28, dropout=0.1).modules() if isinstance(layer, nn.Dropout)] == [0.1, 0.1]


@pytest.mark.parametrize(("size", "layer"), [(6, "convolution 1"), (28, "pooling after 2"), (62, "pooling after 5")])
def test_large_form_refuses_small_images(size: int, layer: str) -> None:
    with pytest.raises(ValueError, match=rf"model\.form: {layer}: windows of .* do not fit.*{size}x{size}"):
        build(size, form="imagenet")


def test_large_form_accepts_the_smallest_image_that_fits() -> None:
    assert build(63, form="imagenet", width=0.05)(torch.rand(2, 3, 63, 63)).shape == (2, 10)
