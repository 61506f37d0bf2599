"""Convolutional networks from the blocks in params.yaml."""

from torch import nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import Block, CnnOptions
from cvnlp.vision.models.convolutional import ACTIVATIONS, BatchNorm, Convolutional, Maps, ReflectionPad, named
from cvnlp.vision.models.mlp import fully_connected

BORDERS: dict[str, type[nn.Module]] = {"zero": nn.ZeroPad2d, "reflect": ReflectionPad, "replicate": nn.ReplicationPad2d}
POOLINGS: dict[str, type[nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class Cnn(Convolutional):
    """Convolutional blocks (`Block` in params/vision_networks.py), then fully connected layers with ReLU."""

    def __init__(self, images: ImageFormat, options: CnnOptions) -> None:
        super().__init__(images)
        maps = Maps(images.shape)
        features = {f"block{number + 1}": _block(block, maps, number) for number, block in enumerate(options.blocks)}
        head = fully_connected(maps.cells, options.hidden, images.classes, options.dropout)
        self.layers = named(features=named(**features), head=head)


def _block(block: Block, maps: Maps, number: int) -> nn.Sequential:
    """The layers of `block`; `maps` has the size of their output afterwards."""
    layers = _convolution(block, maps, number)
    if block.batch_norm:
        layers["batch_norm"] = BatchNorm(block.filters)
    layers["activation"] = ACTIVATIONS[block.activation]()
    if block.pooling in POOLINGS:
        layer, key = f"block {number + 1}, pooling", f"model.blocks.{number}.pool"
        maps.apply_window(block.pool, layer=layer, key=key, stride=block.pool)
        layers["pooling"] = POOLINGS[block.pooling](block.pool)
    if block.dropout:
        layers["dropout"] = nn.Dropout(block.dropout)
    return named(**layers)


def _convolution(block: Block, maps: Maps, number: int) -> dict[str, nn.Module]:
    """The convolution and its padding: a layer of its own, unless it is zero and the same on all sides."""
    span = block.dilation * (block.kernel_size - 1)
    before, after = (0, 0) if block.padding == "valid" else (span // 2, span - span // 2)
    stride = block.stride * (block.pool if block.pooling == "stride" else 1)
    layer, key = f"block {number + 1}, convolution", f"model.blocks.{number}.kernel_size"
    if block.padding == "reflect" and after >= min(maps.height, maps.width):
        raise maps.error(f"{after} rows and columns of {maps} cannot be reflected", layer=layer, key=key)
    built_in = block.padding == "zero" and before == after
    channels = maps.channels
    maps.apply_window(span + 1, layer=layer, key=key, stride=stride, border=before + after)
    maps.channels = block.filters
    convolution = nn.Conv2d(
        channels,
        block.filters,
        block.kernel_size,
        stride=stride,
        dilation=block.dilation,
        padding=before if built_in else 0,
        bias=not block.batch_norm,  # batch normalisation has a bias
    )
    if built_in or not after:
        return {"convolution": convolution}
    return {"border": BORDERS[block.padding]((before, after, before, after)), "convolution": convolution}
