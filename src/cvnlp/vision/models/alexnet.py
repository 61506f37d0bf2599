"""AlexNet: Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural networks."""

from dataclasses import dataclass

from torch import nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import AlexNetOptions
from cvnlp.vision.models.convolutional import Convolutional, Maps, named

POOLED = (1, 2, 5)  # the convolutions that a pooling follows


@dataclass(frozen=True)
class Form:
    """Five convolutions: filters, sizes, borders; the first one's stride; the border of a pooling; hidden layers."""

    filters: tuple[int, ...]
    kernel_sizes: tuple[int, ...]
    padding: tuple[int, ...]
    stride: int
    pool_padding: int
    hidden: int


FORMS = {
    "imagenet": Form((64, 192, 384, 256, 256), (11, 5, 3, 3, 3), (2, 2, 1, 1, 1), 4, 0, 4096),
    "small": Form((32, 96, 192, 128, 128), (3, 3, 3, 3, 3), (1, 1, 1, 1, 1), 1, 1, 1024),
}


class AlexNet(Convolutional):
    """Five convolutions with ReLU, overlapping max pooling after three of them, three fully connected layers.

    `form: imagenet` is the single tower of Krizhevsky 2014 (One weird trick for parallelizing convolutional neural
    networks), as torchvision has it: fewer filters in the first layers than 2012, whole maps instead of two towers, no
    local response normalisation; 61,100,840 parameters at 224 x 224 x 3 and 1000 classes. `small`, for pictures of 28
    to 64 pixels: the same order of layers with convolutions of 3 x 3, stride 1, half the filters and a quarter of the
    hidden units. `width` multiplies both.
    """

    def __init__(self, images: ImageFormat, options: AlexNetOptions) -> None:
        super().__init__(images)
        maps = Maps(images.shape)
        plan = FORMS[options.form]
        features = {f"block{number}": _block(plan, number, options.width, maps) for number in range(1, 6)}
        hidden = _scaled(plan.hidden, options.width)
        head = nn.Sequential(
            nn.Flatten(),
            *[nn.Dropout(options.dropout), nn.Linear(maps.cells, hidden), nn.ReLU()],
            *[nn.Dropout(options.dropout), nn.Linear(hidden, hidden), nn.ReLU()],
            nn.Linear(hidden, images.classes),
        )
        self.layers = named(features=named(**features), head=head)


def _block(form: Form, number: int, width: float, maps: Maps) -> nn.Sequential:
    """The convolution of that number, counted from 1, with what follows it."""
    size, padding = form.kernel_sizes[number - 1], form.padding[number - 1]
    stride = form.stride if number == 1 else 1
    filters = _scaled(form.filters[number - 1], width)
    convolution = nn.Conv2d(maps.channels, filters, size, stride=stride, padding=padding)
    maps.slide(size, layer=f"convolution {number}", key="model.form", stride=stride, border=2 * padding)
    maps.channels = filters
    if number not in POOLED:
        return named(convolution=convolution, activation=nn.ReLU())
    maps.slide(3, layer=f"pooling after {number}", key="model.form", stride=2, border=2 * form.pool_padding)
    return named(convolution=convolution, activation=nn.ReLU(), pooling=nn.MaxPool2d(3, 2, form.pool_padding))


def _scaled(count: int, width: float) -> int:
    return max(1, round(count * width))
