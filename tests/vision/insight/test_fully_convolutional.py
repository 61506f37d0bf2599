"""One pass over a canvas gives the logits of the classifier for each window, or the network is refused."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.fully_convolutional import NotConvertibleError, WindowClassifier, fully_convolutional
from cvnlp.vision.models import Classifier
from cvnlp.vision.models.convolutional import Convolutional, named
from make_networks import classifier, image_format

VALID = {"padding": "valid", "pooling": "max"}
LENETS = [
    {"subsampling": subsampling, "connections": connections, "activation": activation}
    for subsampling, connections, activation in itertools.product(
        ("trainable", "average", "max"), ("table", "full"), ("tanh", "relu")
    )
]
CNNS: dict[str, dict[str, Any]] = {
    "two blocks": {"blocks": [{"filters": 3, **VALID}, {"filters": 4, **VALID}], "hidden": [8, 6], "dropout": 0.5},
    "no hidden layer": {"blocks": [{"filters": 3, "kernel_size": 4, **VALID}], "hidden": []},
    "stride": {"blocks": [{"filters": 3, "padding": "valid", "pooling": "stride"}, {"filters": 4, **VALID}]},
    "dilation and normalisation": {"blocks": [{"filters": 3, "dilation": 2, "batch_norm": True, **VALID, "pool": 3}]},
    "no pooling": {"blocks": [{"filters": 2, "padding": "valid", "pooling": "none", "dropout": 0.5}], "hidden": [5]},
}


def build(name: str, shape: tuple[int, int, int] = (28, 28, 1), **options: Any) -> Classifier:
    torch.manual_seed(1)
    network = classifier(name, shape, 10, mean=0.2, std=0.3, **options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def by_hand(network: Classifier, canvases: Tensor, stride: int) -> Tensor:
    """The classifier itself on every window."""
    height, width = network.shape[:2]
    rows, columns = (range(0, canvases.shape[axis] - size + 1, stride) for axis, size in ((2, height), (3, width)))
    return torch.stack(
        [
            torch.stack([network(canvases[:, :, top : top + height, left : left + width]) for left in columns], -1)
            for top in rows
        ],
        dim=-2,
    )


@torch.no_grad()
@pytest.mark.parametrize("options", LENETS, ids=str)
def test_lenet_classifies_all_windows_with_the_border_around_the_canvas(options: dict[str, str]) -> None:
    network, canvases = build("lenet5", **options), noise(2, 1, 41, 50)
    windows = WindowClassifier(network)
    logits = windows(canvases)
    assert (windows.stride, logits.shape) == ((4, 4), (2, 10, 4, 6))
    assert torch.allclose(logits, windows.classify_separately(canvases), atol=1e-5)
    # a window in the middle with its surroundings is an image of 32 x 32, which gets no border
    larger = build("lenet5", (32, 32, 1), **options)
    larger.load_state_dict(network.state_dict())
    assert torch.allclose(logits[:, :, 2, 3], larger(canvases[:, :, 6:38, 10:42]), atol=1e-5)


@torch.no_grad()
def test_image_on_a_black_canvas_has_the_logits_of_the_image_alone() -> None:
    network, canvas, picture = build("lenet5"), torch.zeros(1, 1, 60, 60), noise(1, 1, 28, 28)
    for top, left in ((0, 0), (8, 12), (32, 32)):
        canvas.zero_()[:, :, top : top + 28, left : left + 28] = picture
        logits = WindowClassifier(network)(canvas)[:, :, top // 4, left // 4]
        assert torch.allclose(logits, network(picture), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(14, 14, 1), (15, 12, 3)], ids=str)
@pytest.mark.parametrize("name", CNNS)
def test_network_without_padding_classifies_all_windows(name: str, shape: tuple[int, int, int]) -> None:
    network, canvases = build("cnn", shape, **CNNS[name]), noise(2, shape[2], 29, 31)
    windows = WindowClassifier(network)
    logits = windows(canvases)
    expected = by_hand(network, canvases, windows.stride[0])
    assert logits.shape == expected.shape
    assert torch.allclose(logits, expected, atol=1e-5)
    assert torch.allclose(windows.classify_separately(canvases), expected, atol=1e-5)


@torch.no_grad()
def test_corners_are_those_of_the_windows() -> None:
    network, canvases = build("cnn", (14, 14, 1), **CNNS["two blocks"]), noise(1, 1, 29, 31)
    windows = WindowClassifier(network)
    logits = windows(canvases).flatten(2)
    for window, (top, left) in enumerate(windows.corners(canvases).tolist()):
        there = network(canvases[:, :, top : top + 14, left : left + 14])
        assert torch.allclose(logits[:, :, window], there, atol=1e-5)


@torch.no_grad()
def test_canvas_of_one_window_is_an_image() -> None:
    network, picture = build("lenet5"), noise(3, 1, 28, 28)
    assert torch.allclose(WindowClassifier(network)(picture)[:, :, 0, 0], network(picture), atol=1e-5)


def test_the_network_itself_is_not_modified() -> None:
    network, picture = build("lenet5"), noise(1, 1, 28, 28)
    before = network(picture)
    converted = fully_convolutional(network)
    with torch.no_grad():
        for parameter in converted.parameters():
            parameter.zero_()
    assert torch.equal(network(picture), before)


PADDED = {"blocks": [{"filters": 3}]}
REFLECTED = {"blocks": [{"filters": 3, "padding": "reflect"}]}
REFUSED = {
    "zeros": ("cnn", PADDED, "Cnn pads its feature maps"),
    "reflect": ("cnn", REFLECTED, "Cnn pads its feature maps"),
    "padded and strided": ("alexnet", {"width": 0.1}, "AlexNet pads its feature maps"),
    "mean of the maps": ("resnet", {"widths": [4]}, "its head contains AdaptiveAvgPool2d"),
    "no maps": ("mlp", {}, "Mlp does not consist of feature maps"),
    "no layers": ("rules", {}, "Rules does not consist of feature maps"),
    "no head": ("neocognitron", {}, "Neocognitron does not consist of feature maps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_network_that_cannot_be_converted_is_refused_with_the_reason(case: str) -> None:
    name, options, reason = REFUSED[case]
    with pytest.raises(NotConvertibleError, match=reason):
        WindowClassifier(build(name, (16, 16, 1), **options))


def test_head_that_mixes_positions_is_refused() -> None:
    class Sorted(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.flatten(1).sort(1).values

    network = Convolutional(image_format((8, 8, 1), classes=5))
    network.layers = named(features=named(one=nn.Conv2d(1, 2, 3)), head=nn.Sequential(Sorted(), nn.Linear(72, 5)))
    with pytest.raises(NotConvertibleError, match="its head contains Sorted"):
        WindowClassifier(network)


def test_feature_maps_of_other_layers_are_refused() -> None:
    network = Convolutional(image_format((8, 8, 1), classes=5))
    features = named(one=nn.Conv2d(1, 2, 3), two=nn.AdaptiveMaxPool2d(2))
    network.layers = named(features=features, head=nn.Sequential(nn.Flatten(), nn.Linear(8, 5)))
    with pytest.raises(NotConvertibleError, match="contains other layers than convolutions, pooling and fully"):
        WindowClassifier(network)


def test_multiply_adds_are_those_counted_by_hand() -> None:
    """A convolution of 3 x 3 with two filters on 10 x 10, pooling of 2, 32 cells to 10 classes."""
    network = build("cnn", (10, 10, 1), blocks=[{"filters": 2, **VALID}], hidden=[])
    window = 8 * 8 * 2 * 9 + 4 * 4 * 2 * 10
    whole = 18 * 18 * 2 * 9 + 6 * 6 * (4 * 4 * 2) * 10
    windows = WindowClassifier(network)
    assert windows.multiply_adds(noise(1, 1, 20, 20)) == (6 * 6 * window, whole)


def test_one_pass_saves_more_on_larger_canvases() -> None:
    windows = WindowClassifier(build("lenet5"))
    ratios = [
        sliding / at_once
        for sliding, at_once in (windows.multiply_adds(noise(1, 1, size, size)) for size in (28, 56, 112))
    ]
    assert ratios[0] == 1 and ratios[0] < ratios[1] < ratios[2]
