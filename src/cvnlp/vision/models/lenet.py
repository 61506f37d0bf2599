"""LeNet-5: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, II.B."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import Lenet5Options
from cvnlp.vision.models.convolutional import Convolutional, named

SIZE = 32  # of the pictures that LeNet-5 reads, height and width
# Table I: the maps of S2 that each of the sixteen maps of C3 sees
TABLE = [
    *[[first, (first + 1) % 6, (first + 2) % 6] for first in range(6)],
    *[[first, (first + 1) % 6, (first + 2) % 6, (first + 3) % 6] for first in range(6)],
    *[[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5]],
    [0, 1, 2, 3, 4, 5],
]


class Lenet5(Convolutional):
    """C1-S2-C3-S4-C5-F6 as in the paper, then a linear layer in place of the paper's radial basis functions.

    `subsampling: trainable` has a weight and a bias for each map and squashes what comes out; average and max have
    neither. `connections: table` is the paper's Table I, in full every map of C3 sees all of S2. relu, max and full
    are what is called LeNet-5 today. Smaller pictures get a black border up to 32 x 32; of larger ones C5, as ever,
    sees all of S4. Weights start as torch has them.
    """

    def __init__(self, images: ImageFormat, options: Lenet5Options) -> None:
        super().__init__(images)
        squash = {"tanh": ScaledTanh, "relu": nn.ReLU}[options.activation]
        features = {
            "border": BlackBorder(images.shape, self.mean, self.std),
            "C1": named(convolution=nn.Conv2d(images.shape[2], 6, 5), activation=squash()),
            "S2": _subsampling(6, options.subsampling, squash),
            "C3": named(convolution=_third_layer(options.connections), activation=squash()),
            "S4": _subsampling(16, options.subsampling, squash),
        }
        height, width = (((max(size, SIZE) - 4) // 2 - 4) // 2 for size in images.shape[:2])  # of the maps of S4
        features["C5"] = named(convolution=nn.Conv2d(16, 120, (height, width)), activation=squash())
        head = named(
            flatten=nn.Flatten(), F6=nn.Linear(120, 84), activation=squash(), output=nn.Linear(84, images.classes)
        )
        self.layers = named(features=named(**features), head=head)


def _third_layer(connections: str) -> nn.Module:
    return TableConvolution(TABLE, 6, 5) if connections == "table" else nn.Conv2d(6, len(TABLE), 5)


def _subsampling(maps: int, kind: str, squash: type[nn.Module]) -> nn.Sequential:
    if kind == "trainable":
        return named(subsampling=Subsampling(maps), activation=squash())
    return named(pooling={"average": nn.AvgPool2d, "max": nn.MaxPool2d}[kind](2))


class BlackBorder(nn.Module):
    """Black rows and columns around normalised pictures that are smaller than `SIZE`, as many on both sides."""

    black: Tensor

    def __init__(self, shape: tuple[int, int, int], mean: Tensor, std: Tensor) -> None:
        super().__init__()
        missing = [max(SIZE - size, 0) for size in (shape[1], shape[0])]
        self.padding = [part for size in missing for part in (size // 2, size - size // 2)]  # left, right, top, bottom
        self.register_buffer("black", -mean / std, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return F.pad(images - self.black, self.padding) + self.black


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x): goes through (1, 1) and (-1, -1), where its curvature is largest (appendix A)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * inputs)


class Subsampling(nn.Module):
    """Means over windows of 2 x 2 cells, times a weight, plus a bias, one of each for every map.

    The paper adds up the four cells: the same functions, with a quarter of the weight.
    """

    kernel_size, stride, padding = 2, 2, 0

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(maps)), nn.Parameter(torch.zeros(maps))

    def forward(self, maps: Tensor) -> Tensor:
        return F.avg_pool2d(maps, 2) * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class TableConvolution(nn.Module):
    """A convolution each of whose maps sees only those inputs that `table` lists for it; weight (connections, n, n)."""

    stride, padding, dilation = (1, 1), (0, 0), (1, 1)

    def __init__(self, table: list[list[int]], channels: int, kernel_size: int) -> None:
        super().__init__()
        self.channels, self.kernel_size = channels, (kernel_size, kernel_size)
        self.outputs = [output for output, inputs in enumerate(table) for _ in inputs]
        self.inputs = [channel for inputs in table for channel in inputs]
        bounds = torch.tensor([(len(inputs) * kernel_size**2) ** -0.5 for inputs in table])  # as torch's convolutions
        weight = torch.rand(len(self.inputs), *self.kernel_size) * 2 - 1
        self.weight = nn.Parameter(weight * bounds[self.outputs].view(-1, 1, 1))
        self.bias = nn.Parameter((torch.rand(len(table)) * 2 - 1) * bounds)

    def filters(self) -> Tensor:
        """(maps, channels, n, n), zero where nothing is connected."""
        filters = self.weight.new_zeros(len(self.bias), self.channels, *self.kernel_size)
        filters[self.outputs, self.inputs] = self.weight
        return filters

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps, self.filters(), self.bias)
