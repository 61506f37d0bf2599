"""The layers of the networks as operations of the demo page."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cvnlp.demo.page_data import UnsupportedNetworkError
from cvnlp.demo.vision.graph import Graph
from cvnlp.vision.models.convolutional import BatchNorm, ReflectionPad
from cvnlp.vision.models.lenet import BlackBorder, ScaledTanh, Subsampling, TableConvolution
from cvnlp.vision.models.resnet import Residual, Scale


def add_layer(graph: Graph, layer: nn.Module, before: int, name: str) -> int:
    """Add a layer after the node `before`; returns the number of its last node."""
    if isinstance(layer, nn.Sequential):
        for child, inner in layer.named_children():
            before = add_layer(graph, inner, before, _path(name, child, inner))
        return before
    if type(layer) not in LAYERS:
        raise UnsupportedNetworkError(f"the page has no counterpart of the layer {type(layer).__name__} ({name})")
    return LAYERS[type(layer)](graph, layer, before, name)


def _path(parent: str, child: str, layer: nn.Module) -> str:
    """block1.convolution; a layer with a number as name is called by its type: head.Linear1."""
    own = f"{type(layer).__name__}{child}" if child.isdigit() else child
    return own if parent in ("", "features") else f"{parent}.{own}"


def add_scale(graph: Graph, before: int, weight: Tensor, bias: Tensor, name: str | None = None) -> int:
    """Of every channel, or all numbers if there is one weight."""
    return graph.add("scale", before, name=name, arrays={"weight": weight, "bias": bias})


def _convolution(graph: Graph, layer: Any, before: int, name: str) -> int:
    weight = layer.filters() if isinstance(layer, TableConvolution) else layer.weight
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias
    sizes = {key: list(getattr(layer, key)) for key in ("stride", "padding", "dilation")}
    groups = getattr(layer, "groups", 1)
    return graph.add("conv2d", before, name=name, arrays={"weight": weight, "bias": bias}, groups=groups, **sizes)


def _batch_norm(graph: Graph, layer: BatchNorm, before: int, name: str) -> int:
    mean, variance = layer.running_mean, layer.running_var
    assert mean is not None and variance is not None
    weight = layer.weight / (variance + layer.eps).sqrt()
    return add_scale(graph, before, weight, layer.bias - mean * weight, name)


def _linear(graph: Graph, layer: nn.Linear, before: int, name: str) -> int:
    return graph.add("linear", before, name=name, arrays={"weight": layer.weight, "bias": layer.bias})


def _activation(kind: str) -> "Converter":
    def convert(graph: Graph, layer: Any, before: int, name: str) -> int:
        slope = getattr(layer, "negative_slope", getattr(layer, "alpha", 0.0))
        return graph.add("activation", before, name=name, kind=kind, slope=slope)

    return convert


def _pooling(kind: str) -> "Converter":
    def convert(graph: Graph, layer: Any, before: int, name: str) -> int:
        sizes = {"size": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
        return graph.add("pool", before, name=name, kind=kind, **sizes)

    return convert


def _padding(kind: str) -> "Converter":
    def convert(graph: Graph, layer: Any, before: int, name: str) -> int:
        return graph.add("pad", before, kind=kind, padding=list(layer.padding))

    return convert


def _black_border(graph: Graph, layer: BlackBorder, before: int, name: str) -> int:
    return graph.add("pad", before, kind="constant", padding=list(layer.padding), arrays={"value": layer.black})


def _subsampling(graph: Graph, layer: Subsampling, before: int, name: str) -> int:
    pooled = graph.add("pool", before, name=f"{name}.average", kind="average", size=2, stride=2, padding=0)
    return add_scale(graph, pooled, layer.weight, layer.bias, name)


def _residual(graph: Graph, layer: Residual, before: int, name: str) -> int:
    branch = add_layer(graph, layer.branch, before, name)
    added = graph.add("add", before, branch, name=f"{name}.sum")
    return add_layer(graph, layer.activation, added, name)


def _scale(graph: Graph, layer: Scale, before: int, name: str) -> int:
    return add_scale(graph, before, torch.tensor([layer.factor]), torch.zeros(1), name)


def _mean_of_maps(graph: Graph, layer: nn.AdaptiveAvgPool2d, before: int, name: str) -> int:
    if layer.output_size != 1:
        raise UnsupportedNetworkError(f"the page has no adaptive pooling to {layer.output_size} ({name})")
    return graph.add("global_average", before, name=name)


Converter = Callable[[Graph, Any, int, str], int]
LAYERS: dict[type[nn.Module], Converter] = {
    nn.Conv2d: _convolution,
    TableConvolution: _convolution,
    BatchNorm: _batch_norm,
    nn.Linear: _linear,
    nn.Flatten: lambda graph, layer, before, name: graph.add("flatten", before),
    nn.Dropout: lambda graph, layer, before, name: before,
    nn.MaxPool2d: _pooling("max"),
    nn.AvgPool2d: _pooling("average"),
    nn.AdaptiveAvgPool2d: _mean_of_maps,
    nn.ZeroPad2d: _padding("zero"),
    ReflectionPad: _padding("reflect"),
    nn.ReplicationPad2d: _padding("replicate"),
    BlackBorder: _black_border,
    Subsampling: _subsampling,
    Residual: _residual,
    Scale: _scale,
    ScaledTanh: _activation("scaled_tanh"),
    nn.ReLU: _activation("relu"),
    nn.LeakyReLU: _activation("leaky_relu"),
    nn.ELU: _activation("elu"),
    nn.GELU: _activation("gelu"),
    nn.SiLU: _activation("silu"),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Tanh: _activation("tanh"),
}
