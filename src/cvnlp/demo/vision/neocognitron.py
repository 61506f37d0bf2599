"""The layers of the neocognitron as operations of the demo page."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.demo.vision.graph import Graph
from cvnlp.vision.models.neocognitron import (
    SATURATION,
    SEMI_SATURATION,
    CLayer,
    Contrast,
    Neocognitron,
    Recognition,
    SCells,
)


def add_neocognitron(graph: Graph, network: Neocognitron, image: int) -> None:
    """All layers, with the names of `feature_layers`; the last node has the logits."""
    names = {id(layer): name for name, layer in network.feature_layers()}
    before = image
    for layer in network.layers:
        if isinstance(layer, Contrast):
            before = _contrast(graph, layer, before, names[id(layer)])
        elif isinstance(layer, CLayer):
            before = _c_cells(graph, layer, before, names[id(layer)])
        elif isinstance(layer, SCells):
            before = _s_cells(graph, layer, before, names.get(id(layer), "labelled cells"))
    top = network.layers[-1]
    if isinstance(top, Recognition):
        labels = top.labels.float()
        graph.add("class_maximum", before, classes=top.classes, sharpness=top.sharpness, arrays={"labels": labels})


def _depthwise(graph: Graph, kernel: Tensor, before: int, *, stride: int = 1) -> int:
    return _convolve(graph, kernel, before, padding=kernel.shape[-1] // 2, stride=stride, groups=len(kernel))


def _convolve(graph: Graph, weight: Tensor, before: int, *, padding: int, stride: int = 1, groups: int = 1) -> int:
    arrays = {"weight": weight, "bias": torch.zeros(len(weight))}
    sizes: dict[str, Any] = {"stride": [stride] * 2, "padding": [padding] * 2, "dilation": [1, 1]}
    return graph.add("conv2d", before, arrays=arrays, groups=groups, **sizes)


def _contrast(graph: Graph, layer: Contrast, before: int, name: str) -> int:
    height, width, channels = graph.shape
    means = []
    for kernel in (layer.centre, layer.surround):
        ones = torch.ones(1, channels, height, width, device=kernel.device)
        within = F.conv2d(ones, kernel, padding=3, groups=len(kernel))[0]
        means.append(graph.add("multiply", _depthwise(graph, kernel, before), arrays={"factors": 1 / within}))
    return graph.add("rectify_both", graph.add("subtract", *means), name=name)


def _s_cells(graph: Graph, layer: SCells, before: int, name: str) -> int:
    length = (layer.weights * layer.templates**2).sum((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
    excitation = _convolve(graph, layer.weights * layer.templates / length, before, padding=layer.padding)
    squares = graph.add("square", before)
    inhibition = graph.add("root", _convolve(graph, layer.weights, squares, padding=layer.padding), small=1e-12)
    threshold = layer.threshold * bool(layer.count > 0)
    constants: dict[str, Any] = {"threshold": threshold, "scale": 1 - threshold, "small": SEMI_SATURATION}
    return graph.add("similarity", excitation, inhibition, name=name, **constants)


def _c_cells(graph: Graph, layer: CLayer, before: int, name: str) -> int:
    return graph.add("saturate", _depthwise(graph, layer.kernel, before, stride=2), name=name, half=SATURATION)
