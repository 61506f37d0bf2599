"""AlexNet: Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural networks."""

from dataclasses import dataclass

from torch import nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import AlexNetOptions
from cvnlp.vision.models.convolutional import Convolutional, Maps, named

POOLED = (1, 2, 5)  # the convolutions that are followed by pooling


@dataclass(frozen=True)
class Form:
    """The five convolutions, from the first: filters, kernel sizes and padding; `stride` is that of the first alone.

    `pool_padding`: of every pooling. `hidden`: units of both hidden fully connected layers.
    """

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

    `form: imagenet` is the single-tower network of Krizhevsky 2014 (One weird trick for parallelizing convolutional
    neural networks), as in torchvision: fewer filters in the first layers than in 2012, one tower instead of two, no
    local response normalisation; 61,100,840 parameters for 224 x 224 x 3 and 1000 classes. `small` is for images of 28
    to 64 pixels: the same order of layers with 3 x 3 convolutions, stride 1, half the filters, a quarter of the hidden
    units.
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
    """Convolution `number`, counted from 1, with its activation and pooling."""
    size, padding = form.kernel_sizes[number - 1], form.padding[number - 1]
    stride = form.stride if number == 1 else 1
    filters = _scaled(form.filters[number - 1], width)
    convolution = nn.Conv2d(maps.channels, filters, size, stride=stride, padding=padding)
    maps.apply_window(size, layer=f"convolution {number}", key="model.form", stride=stride, border=2 * padding)
    maps.channels = filters
    if number not in POOLED:
        return named(convolution=convolution, activation=nn.ReLU())
    maps.apply_window(3, layer=f"pooling after {number}", key="model.form", stride=2, border=2 * form.pool_padding)
    return named(convolution=convolution, activation=nn.ReLU(), pooling=nn.MaxPool2d(3, 2, form.pool_padding))


def _scaled(count: int, width: float) -> int:
    return max(1, round(count * width))
