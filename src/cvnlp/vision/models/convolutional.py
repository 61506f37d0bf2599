"""What the convolutional networks share: activations, padding, batch normalisation, and the sizes of feature maps."""

from collections import OrderedDict
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.models.classifier import Classifier

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class Convolutional(Classifier):
    """`layers.features` computes feature maps of the image, `layers.head` the logits from the maps."""

    def feature_layers(self) -> list[tuple[str, nn.Module]]:
        """The layers whose outputs are maps (B, C, H, W), in order, by names such as block1.convolution."""
        return list(_single_layers(self.layers.get_submodule("features")))


def _single_layers(layers: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, layer in layers.named_children():
        if isinstance(layer, nn.Sequential):
            yield from _single_layers(layer, f"{prefix}{name}.")
        elif not isinstance(layer, nn.Dropout):
            yield f"{prefix}{name}", layer


def named(**layers: nn.Module) -> nn.Sequential:
    """A sequence of named layers."""
    return nn.Sequential(OrderedDict(layers))


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that accepts a single value per channel, as in evaluation: one value has no variance.

    The last batch of an epoch may be one image whose maps are 1 x 1.
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.numel() == self.num_features:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class ReflectionPad(nn.ReflectionPad2d):
    """Reflection padding from slices: the gradient of torch's own is not deterministic on a GPU."""

    def forward(self, input: Tensor) -> Tensor:
        left, right, top, bottom = self.padding
        return _reflected(_reflected(input, 3, left, right), 2, top, bottom)


def _reflected(images: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = images.shape[axis]
    first = images.narrow(axis, 1, before).flip(axis)
    return torch.cat([first, images, images.narrow(axis, size - 1 - after, after).flip(axis)], dim=axis)


class Maps:
    """The size of the feature maps while a network is built; an impossible size is refused with the layer's name."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.height, self.width, self.channels = shape
        self.sizes = [str(self)]

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"

    @property
    def cells(self) -> int:
        return self.height * self.width * self.channels

    def apply_window(self, window: int, *, layer: str, key: str, stride: int = 1, border: int = 0) -> None:
        """Apply windows of `window` x `window`; `border`: padding of both sides together. ValueError if none fits."""
        if min(self.height, self.width) + border < window:
            raise self.error(f"windows of {window}x{window} do not fit into {self}", layer=layer, key=key)
        self.height, self.width = ((size + border - window) // stride + 1 for size in (self.height, self.width))
        self.sizes.append(str(self))

    def error(self, why: str, *, layer: str, key: str) -> ValueError:
        way = " -> ".join(size for size, before in zip(self.sizes, ["", *self.sizes], strict=False) if size != before)
        return ValueError(f"{key}: {layer}: {why} (sizes so far: {way}); use smaller windows or fewer layers")
