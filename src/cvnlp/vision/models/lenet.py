"""LeNet-5: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, II.B."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import Lenet5Options
from cvnlp.vision.models.convolutional import Convolutional, named

SIZE = 32  # height and width of the images of LeNet-5
# Table I: the maps of S2 to which each of the sixteen maps of C3 is connected
TABLE = [
    *[[first, (first + 1) % 6, (first + 2) % 6] for first in range(6)],
    *[[first, (first + 1) % 6, (first + 2) % 6, (first + 3) % 6] for first in range(6)],
    *[[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5]],
    [0, 1, 2, 3, 4, 5],
]


class Lenet5(Convolutional):
    """C1-S2-C3-S4-C5-F6 as in the paper, then a linear layer instead of the paper's radial basis functions.

    Images smaller than 32 x 32 are padded with black; for larger ones C5 is larger, so that it still covers all of S4.
    Initial weights are those of torch.
    """

    def __init__(self, images: ImageFormat, options: Lenet5Options) -> None:
        super().__init__(images)
        activation = {"tanh": ScaledTanh, "relu": nn.ReLU}[options.activation]
        features = {
            "border": BlackBorder(images.shape, self.mean, self.std),
            "C1": named(convolution=nn.Conv2d(images.shape[2], 6, 5), activation=activation()),
            "S2": _subsampling(6, options.subsampling, activation),
            "C3": named(convolution=_third_layer(options.connections), activation=activation()),
            "S4": _subsampling(16, options.subsampling, activation),
        }
        height, width = (((max(size, SIZE) - 4) // 2 - 4) // 2 for size in images.shape[:2])  # of the maps of S4
        features["C5"] = named(convolution=nn.Conv2d(16, 120, (height, width)), activation=activation())
        head = named(
            flatten=nn.Flatten(), F6=nn.Linear(120, 84), activation=activation(), output=nn.Linear(84, images.classes)
        )
        self.layers = named(features=named(**features), head=head)


def _third_layer(connections: str) -> nn.Module:
    return TableConvolution(TABLE, 6, 5) if connections == "table" else nn.Conv2d(6, len(TABLE), 5)


def _subsampling(maps: int, kind: str, activation: type[nn.Module]) -> nn.Sequential:
    if kind == "trainable":
        return named(subsampling=Subsampling(maps), activation=activation())
    return named(pooling={"average": nn.AvgPool2d, "max": nn.MaxPool2d}[kind](2))


class BlackBorder(nn.Module):
    """Pads normalised images that are smaller than `SIZE` with black, equally on both sides."""

    black: Tensor

    def __init__(self, shape: tuple[int, int, int], mean: Tensor, std: Tensor) -> None:
        super().__init__()
        missing = [max(SIZE - size, 0) for size in (shape[1], shape[0])]
        self.padding = [part for size in missing for part in (size // 2, size - size // 2)]  # left, right, top, bottom
        self.register_buffer("black", -mean / std, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return F.pad(images - self.black, self.padding) + self.black


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x), which passes through (1, 1) and (-1, -1), where its curvature is largest (appendix A)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * inputs)


class Subsampling(nn.Module):
    """2 x 2 average pooling, times a weight, plus a bias, one of each per map.

    The paper sums the four values: the same functions, with a quarter of the weight.
    """

    kernel_size, stride, padding = 2, 2, 0

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(maps)), nn.Parameter(torch.zeros(maps))

    def forward(self, maps: Tensor) -> Tensor:
        return F.avg_pool2d(maps, 2) * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class TableConvolution(nn.Module):
    """A convolution whose maps are connected only to the inputs that `table` lists; weight (connections, n, n)."""

    stride, padding, dilation = (1, 1), (0, 0), (1, 1)

    def __init__(self, table: list[list[int]], channels: int, kernel_size: int) -> None:
        super().__init__()
        self.channels, self.kernel_size = channels, (kernel_size, kernel_size)
        self.outputs = [output for output, inputs in enumerate(table) for _ in inputs]
        self.inputs = [channel for inputs in table for channel in inputs]
        bounds = torch.tensor([(len(inputs) * kernel_size**2) ** -0.5 for inputs in table])  # as in torch
        weight = torch.rand(len(self.inputs), *self.kernel_size) * 2 - 1
        self.weight = nn.Parameter(weight * bounds[self.outputs].view(-1, 1, 1))
        self.bias = nn.Parameter((torch.rand(len(table)) * 2 - 1) * bounds)

    def filters(self) -> Tensor:
        """The filters as a dense tensor (maps, channels, n, n), zero where maps are not connected."""
        filters = self.weight.new_zeros(len(self.bias), self.channels, *self.kernel_size)
        filters[self.outputs, self.inputs] = self.weight
        return filters

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps, self.filters(), self.bias)
