"""Convolutional networks, block by block from params.yaml."""

import itertools

from torch import nn

from cvnlp.params.option_types import AnyNumber, Block, Blocks, Fraction
from cvnlp.vision.models.convolutional import ACTIVATIONS, BatchNorm, Convolutional, Maps, Mirror, named

BORDERS: dict[str, type[nn.Module]] = {"zero": nn.ZeroPad2d, "mirror": Mirror, "repeat": nn.ReplicationPad2d}
POOLINGS: dict[str, type[nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class Cnn(Convolutional):
    """Blocks as `cvnlp.options.Block` describes them, then fully connected layers with ReLU, and the classes.

    `dropout` is that of the fully connected part: after every hidden layer, or before the classes if there is none.
    """

    def __init__(
        self,
        shape: list[int],
        classes: int,
        mean: list[float],
        std: list[float],
        *,
        blocks: Blocks = [{"filters": 16}, {"filters": 32}],  # noqa: B006  (read only)
        hidden: AnyNumber = [64],  # noqa: B006  (read only)
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__(shape, classes, mean, std)
        maps = Maps(shape)
        features = {
            f"block{number + 1}": _block(Block.model_validate(options), maps, number)
            for number, options in enumerate(blocks)
        }
        head = fully_connected([maps.cells, *hidden, classes], dropout)
        self.layers = named(features=named(**features), head=head)


def _block(block: Block, maps: Maps, number: int) -> nn.Sequential:
    """The layers that `block` asks for, on `maps`, which are of their output's size afterwards."""
    layers = _convolution(block, maps, number)
    if block.batch_norm:
        layers["batch_norm"] = BatchNorm(block.filters)
    layers["activation"] = ACTIVATIONS[block.activation]()
    if block.pooling in POOLINGS:
        layer, key = f"block {number + 1}, pooling", f"model.blocks.{number}.pool"
        maps.slide(block.pool, layer=layer, key=key, stride=block.pool)
        layers["pooling"] = POOLINGS[block.pooling](block.pool)
    if block.dropout:
        layers["dropout"] = nn.Dropout(block.dropout)
    return named(**layers)


def _convolution(block: Block, maps: Maps, number: int) -> dict[str, nn.Module]:
    """The convolution; before it its border, but for an even one of zeros, which is the convolution's own."""
    span = block.dilation * (block.kernel_size - 1)
    before, after = (0, 0) if block.padding == "valid" else (span // 2, span - span // 2)
    stride = block.stride * (block.pool if block.pooling == "stride" else 1)
    layer, key = f"block {number + 1}, convolution", f"model.blocks.{number}.kernel_size"
    if block.padding == "mirror" and after >= min(maps.height, maps.width):
        raise maps.refusal(f"{after} rows and columns of {maps} cannot be mirrored", layer=layer, key=key)
    own = block.padding == "zero" and before == after
    channels = maps.channels
    maps.slide(span + 1, layer=layer, key=key, stride=stride, border=before + after)
    maps.channels = block.filters
    convolution = nn.Conv2d(
        channels,
        block.filters,
        block.kernel_size,
        stride=stride,
        dilation=block.dilation,
        padding=before if own else 0,
        bias=not block.batch_norm,  # which has its own
    )
    if own or not after:
        return {"convolution": convolution}
    return {"border": BORDERS[block.padding]((before, after, before, after)), "convolution": convolution}


def fully_connected(sizes: list[int], dropout: float) -> nn.Sequential:
    """From maps (B, C, H, W) through layers of the `sizes`, the first the maps' cells, the last the classes."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
    if len(sizes) == 2:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))
