"""A classifier made fully convolutional reads every window of a canvas in one pass (LeCun et al. 1998, section VII).

Neighbouring windows share most of their pixels, and so most of their maps: these are computed once.
"""

import copy
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.insight.receptive_fields import theory
from cvnlp.vision.models import Classifier, multiply_adds
from cvnlp.vision.models.convolutional import ACTIVATIONS
from cvnlp.vision.models.lenet import BlackBorder, ScaledTanh

CELL_BY_CELL = (*ACTIVATIONS.values(), ScaledTanh)


class Unreadable(ValueError):  # noqa: N818  (a verdict on a network, not a failure)
    """A network that cannot be slid over a canvas; the message is the reason."""


class Reader:
    """`network` reads windows of the size of its pictures, `stride` pixels from one to the next.

    A black border that it puts around small pictures goes around the canvas: the windows with their borders then
    overlap their neighbours. Unreadable for a network that this cannot be done with.
    """

    def __init__(self, network: Classifier) -> None:
        self.window = (network.shape[0], network.shape[1])
        self.border = next((layer.padding for layer in network.modules() if isinstance(layer, BlackBorder)), [0] * 4)
        self.single = _without_border(network)
        self.network = fully_convolutional(network)
        self.stride = _stride(self.network, *self._padded(self.window))

    def read(self, canvases: Tensor) -> Tensor:
        """Logits (B, classes, rows, columns) of all windows that lie on the canvases (B, C, H, W)."""
        rows, columns = self.grid(canvases)
        return self.network(F.pad(canvases, self.border))[:, :, :rows, :columns]  # 0 is black

    def slide(self, canvases: Tensor) -> Tensor:
        """As `read`, but window by window."""
        (height, width), (down, right) = self._padded(self.window), self.stride
        windows = F.pad(canvases, self.border).unfold(2, height, down).unfold(3, width, right)
        count, channels, rows, columns = windows.shape[:4]
        logits = self.single(windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, channels, height, width))
        return logits.view(count, rows, columns, -1).permute(0, 3, 1, 2)

    def grid(self, canvases: Tensor) -> tuple[int, int]:
        """Rows and columns of windows."""
        sides = zip(canvases.shape[2:], self.window, self.stride, strict=True)
        rows, columns = ((side - length) // step + 1 for side, length, step in sides)
        return rows, columns

    def places(self, canvases: Tensor) -> Tensor:
        """Top and left of every window, (rows * columns, 2)."""
        lines = (torch.arange(count) * step for count, step in zip(self.grid(canvases), self.stride, strict=True))
        return torch.cartesian_prod(*lines).to(canvases.device)

    def multiply_adds(self, canvases: Tensor) -> tuple[int, int]:
        """For one of the canvases: window by window, and in one pass."""
        rows, columns = self.grid(canvases)
        window, whole = self._padded(self.window), self._padded(canvases.shape[2:])
        return rows * columns * _cost(self.single, window), _cost(self.network, whole)

    def _padded(self, size: Sequence[int]) -> tuple[int, int]:
        left, right, top, bottom = self.border
        return size[0] + top + bottom, size[1] + left + right


def fully_convolutional(network: Classifier) -> Classifier:
    """Logits (B, classes, rows, columns) for pictures of any size, by the weights of `network`.

    The first fully connected layer becomes a convolution as large as the maps of one picture, the later ones
    convolutions of 1 x 1. Dropout and the black border are left out. Unreadable if the logits of a window then depend
    on where it stands, as with padded maps, or the head is not made of fully connected layers.
    """
    converted = _without_border(network)
    features = _part(network, "features")
    with torch.no_grad():
        empty = network.mean.new_zeros(1, network.shape[2], *network.shape[:2])
        maps = features((empty - network.mean) / network.std)
    cast(nn.Sequential, converted.layers).head = _sliding(_part(converted, "head"), tuple(maps.shape[2:]))
    return converted


def _part(network: Classifier, name: str) -> nn.Module:
    part = getattr(getattr(network, "layers", None), name, None)
    if not isinstance(part, nn.Sequential):
        raise Unreadable(f"{type(network).__name__} is not made of maps and fully connected layers after them")
    return part


def _without_border(network: Classifier) -> Classifier:
    copied = copy.deepcopy(network)
    for name, layer in list(copied.named_modules()):
        if isinstance(layer, BlackBorder):
            copied.set_submodule(name, nn.Identity())
    return copied


def _sliding(head: nn.Module, size: tuple[int, ...]) -> nn.Sequential:
    """The head on maps of any size that sees windows of `size` cells."""
    layers: list[nn.Module] = []
    for layer in head.children():
        if isinstance(layer, nn.Linear):
            layers.append(_convolution(layer, size))
            size = (1, 1)
        elif isinstance(layer, CELL_BY_CELL):
            layers.append(layer)
        elif not isinstance(layer, (nn.Flatten, nn.Dropout)):
            raise Unreadable(f"its head holds {type(layer).__name__}, which need not answer each window by itself")
    return nn.Sequential(*layers)


def _convolution(layer: nn.Linear, size: tuple[int, ...]) -> nn.Conv2d:
    """Of the same weights: flattened maps are channel by channel, row by row, as a filter is."""
    weight = layer.weight.detach().unflatten(1, (-1, *size))
    convolution = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], bias=layer.bias is not None)
    convolution.weight = nn.Parameter(weight)
    if layer.bias is not None:
        convolution.bias = nn.Parameter(layer.bias.detach())
    return convolution.to(weight)


def _stride(network: Classifier, height: int, width: int) -> tuple[int, int]:
    picture = network.mean.new_zeros(1, network.shape[2], height, width)
    last = list(_part(network, "head").children())[-1]
    fields = theory(network, [("logits", last)], picture)["logits"]
    name = type(network).__name__
    if fields is None:
        raise Unreadable(f"{name} is not made of convolutions, pooling and fully connected layers alone")
    if any(field.start for field in fields):
        raise Unreadable(f"{name} pads its maps: at the edge of a window it would see what lies beside it")
    return fields[0].stride, fields[1].stride


def _cost(network: Classifier, size: tuple[int, int]) -> int:
    sized = copy.deepcopy(network)
    sized.shape = (*size, network.shape[2])
    return multiply_adds(sized)
