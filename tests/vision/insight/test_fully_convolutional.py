"""One pass over a canvas answers as the classifier does window by window, or the network is refused."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.fully_convolutional import Reader, Unreadable, fully_convolutional
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
def test_lenet_reads_as_it_does_window_by_window_with_the_border_around_the_canvas(options: dict[str, str]) -> None:
    network, canvases = build("lenet5", **options), noise(2, 1, 41, 50)
    reader = Reader(network)
    read = reader.read(canvases)
    assert (reader.stride, read.shape) == ((4, 4), (2, 10, 4, 6))
    assert torch.allclose(read, reader.slide(canvases), atol=1e-5)
    # the window in the middle without a border is a picture of 32 x 32 of its own, which gets none
    larger = build("lenet5", (32, 32, 1), **options)
    larger.load_state_dict(network.state_dict())
    assert torch.allclose(read[:, :, 2, 3], larger(canvases[:, :, 6:38, 10:42]), atol=1e-5)


@torch.no_grad()
def test_a_picture_alone_on_black_is_read_as_the_classifier_reads_it() -> None:
    network, canvas, picture = build("lenet5"), torch.zeros(1, 1, 60, 60), noise(1, 1, 28, 28)
    for top, left in ((0, 0), (8, 12), (32, 32)):
        canvas.zero_()[:, :, top : top + 28, left : left + 28] = picture
        read = Reader(network).read(canvas)[:, :, top // 4, left // 4]
        assert torch.allclose(read, network(picture), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(14, 14, 1), (15, 12, 3)], ids=str)
@pytest.mark.parametrize("name", CNNS)
def test_network_without_padding_reads_as_it_does_window_by_window(name: str, shape: tuple[int, int, int]) -> None:
    network, canvases = build("cnn", shape, **CNNS[name]), noise(2, shape[2], 29, 31)
    reader = Reader(network)
    read = reader.read(canvases)
    expected = by_hand(network, canvases, reader.stride[0])
    assert read.shape == expected.shape
    assert torch.allclose(read, expected, atol=1e-5)
    assert torch.allclose(reader.slide(canvases), expected, atol=1e-5)


@torch.no_grad()
def test_places_are_those_of_the_windows() -> None:
    network, canvases = build("cnn", (14, 14, 1), **CNNS["two blocks"]), noise(1, 1, 29, 31)
    reader = Reader(network)
    read = reader.read(canvases).flatten(2)
    for window, (top, left) in enumerate(reader.places(canvases).tolist()):
        there = network(canvases[:, :, top : top + 14, left : left + 14])
        assert torch.allclose(read[:, :, window], there, atol=1e-5)


@torch.no_grad()
def test_a_canvas_of_one_window_is_a_picture() -> None:
    network, picture = build("lenet5"), noise(3, 1, 28, 28)
    assert torch.allclose(Reader(network).read(picture)[:, :, 0, 0], network(picture), atol=1e-5)


def test_the_network_itself_stays_as_it_was() -> None:
    network, picture = build("lenet5"), noise(1, 1, 28, 28)
    before = network(picture)
    converted = fully_convolutional(network)
    with torch.no_grad():
        for parameter in converted.parameters():
            parameter.zero_()
    assert torch.equal(network(picture), before)


PADDED = {"blocks": [{"filters": 3}]}
MIRRORED = {"blocks": [{"filters": 3, "padding": "mirror"}]}
REFUSED = {
    "zeros": ("cnn", PADDED, "Cnn pads its maps"),
    "mirror": ("cnn", MIRRORED, "Cnn pads its maps"),
    "padded and strided": ("alexnet", {"width": 0.1}, "AlexNet pads its maps"),
    "mean of the maps": ("resnet", {"widths": [4]}, "its head holds AdaptiveAvgPool2d"),
    "no maps": ("mlp", {}, "Mlp is not made of maps"),
    "no layers": ("rules", {}, "Rules is not made of maps"),
    "no head": ("neocognitron", {}, "Neocognitron is not made of maps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_network_that_would_read_otherwise_is_refused_by_name(case: str) -> None:
    name, options, reason = REFUSED[case]
    with pytest.raises(Unreadable, match=reason):
        Reader(build(name, (16, 16, 1), **options))


def test_head_that_mixes_places_is_refused() -> None:
    class Sorted(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.flatten(1).sort(1).values

    network = Convolutional(image_format((8, 8, 1), classes=5))
    network.layers = named(features=named(one=nn.Conv2d(1, 2, 3)), head=nn.Sequential(Sorted(), nn.Linear(72, 5)))
    with pytest.raises(Unreadable, match="its head holds Sorted"):
        Reader(network)


def test_maps_that_are_no_convolution_s_are_refused() -> None:
    network = Convolutional(image_format((8, 8, 1), classes=5))
    features = named(one=nn.Conv2d(1, 2, 3), two=nn.AdaptiveMaxPool2d(2))
    network.layers = named(features=features, head=nn.Sequential(nn.Flatten(), nn.Linear(8, 5)))
    with pytest.raises(Unreadable, match="Convolutional is not made of convolutions, pooling and fully connected"):
        Reader(network)


def test_multiply_adds_are_those_counted_by_hand() -> None:
    """A convolution of 3 x 3 with two filters on 10 x 10, pooling of 2, 32 cells to 10 classes."""
    network = build("cnn", (10, 10, 1), blocks=[{"filters": 2, **VALID}], hidden=[])
    window = 8 * 8 * 2 * 9 + 4 * 4 * 2 * 10
    whole = 18 * 18 * 2 * 9 + 6 * 6 * (4 * 4 * 2) * 10
    reader = Reader(network)
    assert reader.multiply_adds(noise(1, 1, 20, 20)) == (6 * 6 * window, whole)


def test_one_pass_saves_more_the_larger_the_canvas() -> None:
    reader = Reader(build("lenet5"))
    ratios = [
        sliding / at_once
        for sliding, at_once in (reader.multiply_adds(noise(1, 1, size, size)) for size in (28, 56, 112))
    ]
    assert ratios[0] == 1 and ratios[0] < ratios[1] < ratios[2]
