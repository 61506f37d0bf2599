"""A classifier as a fully convolutional network, which classifies all windows of a canvas in one pass.

LeCun et al. 1998, section VII. Neighbouring windows share most of their pixels, and so most of their feature maps; one
pass computes them only once.
"""

import copy
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.insight.receptive_fields import receptive_fields
from cvnlp.vision.models import Classifier, multiply_adds
from cvnlp.vision.models.convolutional import ACTIVATIONS
from cvnlp.vision.models.lenet import BlackBorder, ScaledTanh

ELEMENTWISE = (*ACTIVATIONS.values(), ScaledTanh)


class NotConvertibleError(ValueError):
    """A network that cannot classify windows in one pass; the message is the reason."""


class WindowClassifier(nn.Module):
    """Classifies windows as large as the network's images, whose distance is `stride` (down, right) in pixels.

    A black border that the network adds to small images is added to the canvas instead: the windows with their borders
    overlap their neighbours. NotConvertibleError for a network with which this is impossible.
    """

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.window = (network.shape[0], network.shape[1])
        self.border = next((layer.padding for layer in network.modules() if isinstance(layer, BlackBorder)), [0] * 4)
        self.single = _without_border(network)
        self.network = fully_convolutional(network)
        self.stride = _stride(self.network, *self._padded(self.window))

    def forward(self, canvases: Tensor) -> Tensor:
        """Logits (B, classes, rows, columns) of all windows within the canvases (B, C, H, W), in one pass."""
        rows, columns = self.grid(canvases)
        logits: Tensor = self.network(F.pad(canvases, self.border))  # 0 is black
        return logits[:, :, :rows, :columns]

    def classify_separately(self, canvases: Tensor) -> Tensor:
        """The same logits, computed window by window."""
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

    def corners(self, canvases: Tensor) -> Tensor:
        """Top and left of every window, (rows * columns, 2)."""
        lines = (torch.arange(count) * step for count, step in zip(self.grid(canvases), self.stride, strict=True))
        return torch.cartesian_prod(*lines).to(canvases.device)

    def multiply_adds(self, canvases: Tensor) -> tuple[int, int]:
        """Multiply-adds for one of the canvases: window by window, and in one pass."""
        rows, columns = self.grid(canvases)
        window, whole = self._padded(self.window), self._padded(canvases.shape[2:])
        return rows * columns * _cost(self.single, window), _cost(self.network, whole)

    def _padded(self, size: Sequence[int]) -> tuple[int, int]:
        left, right, top, bottom = self.border
        return size[0] + top + bottom, size[1] + left + right


def fully_convolutional(network: Classifier) -> Classifier:
    """A copy that returns logits (B, classes, rows, columns) for images of any size.

    The first fully connected layer becomes a convolution as large as the feature maps of one image, the later ones
    become 1 x 1 convolutions. Dropout and the black border are removed. NotConvertibleError if the head does not
    consist of fully connected layers.
    """
    converted = _without_border(network)
    features = _part(network, "features")
    with torch.no_grad():
        empty = network.mean.new_zeros(1, network.shape[2], *network.shape[:2])
        maps = features((empty - network.mean) / network.std)
    cast(nn.Sequential, converted.layers).head = _convolutional_head(_part(converted, "head"), tuple(maps.shape[2:]))
    return converted


def _part(network: Classifier, name: str) -> nn.Module:
    part = getattr(getattr(network, "layers", None), name, None)
    if not isinstance(part, nn.Sequential):
        raise NotConvertibleError(
            f"{type(network).__name__} does not consist of feature maps followed by fully connected layers"
        )
    return part


def _without_border(network: Classifier) -> Classifier:
    copied = copy.deepcopy(network)
    for name, layer in list(copied.named_modules()):
        if isinstance(layer, BlackBorder):
            copied.set_submodule(name, nn.Identity())
    return copied


def _convolutional_head(head: nn.Module, size: tuple[int, ...]) -> nn.Sequential:
    """The head for feature maps of any size; `size` (height, width) is that of the maps of one image."""
    layers: list[nn.Module] = []
    for layer in head.children():
        if isinstance(layer, nn.Linear):
            layers.append(_convolution(layer, size))
            size = (1, 1)
        elif isinstance(layer, ELEMENTWISE):
            layers.append(layer)
        elif not isinstance(layer, (nn.Flatten, nn.Dropout)):
            raise NotConvertibleError(f"its head contains {type(layer).__name__}, which may mix neighbouring windows")
    return nn.Sequential(*layers)


def _convolution(layer: nn.Linear, size: tuple[int, ...]) -> nn.Conv2d:
    """The same weights as a filter: flattened maps are in the order of a filter's cells."""
    weight = layer.weight.detach().unflatten(1, (-1, *size))
    convolution = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2:], bias=layer.bias is not None)
    convolution.weight = nn.Parameter(weight)
    if layer.bias is not None:
        convolution.bias = nn.Parameter(layer.bias.detach())
    return convolution.to(weight)


def _stride(network: Classifier, height: int, width: int) -> tuple[int, int]:
    """Distance of neighbouring windows; NotConvertibleError if logits depend on the position, as with padded maps."""
    image = network.mean.new_zeros(1, network.shape[2], height, width)
    last = list(_part(network, "head").children())[-1]
    fields = receptive_fields(network, [("logits", last)], image)["logits"]
    name = type(network).__name__
    if fields is None:
        raise NotConvertibleError(f"{name} contains other layers than convolutions, pooling and fully connected layers")
    if any(field.start for field in fields):
        raise NotConvertibleError(f"{name} pads its feature maps: a window would depend on the pixels around it")
    return fields[0].stride, fields[1].stride


def _cost(network: Classifier, size: tuple[int, int]) -> int:
    sized = copy.deepcopy(network)
    sized.shape = (*size, network.shape[2])
    return multiply_adds(sized)
