"""Receptive fields measured by gradients: which pixels can reach a unit, and where its gradient is concentrated."""

import copy
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.insight.layers import compute_maps, feature_layers
from cvnlp.vision.insight.receptive_fields import Fields

GRADIENT_SHARE = 0.9  # of the gradient's magnitude, within the effective receptive field

Box = tuple[int, int, int, int]  # top, bottom, left, right


def measure_fields(
    network: nn.Module, untrained: nn.Module, images: Tensor, fields: dict[str, Fields | None]
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Measure the receptive fields of all layers.

    Returns a table with a row per layer (size of its map, computed, measured and effective field, in pixels), and by
    layer the gradients (2, H, W) of its central unit before and after training. `effective` and `effective_before` are
    the sides of the squares with 90 % of them.
    """
    layers = feature_layers(network)
    shapes = {name: output.shape for name, output in compute_maps(network, layers, images[:1]).items()}
    boxes = gradient_extents(network, images)
    before, after = gradient_magnitudes(untrained, images), gradient_magnitudes(network, images)
    rows = [
        {
            "layer": name,
            "channels": shape[1],
            "height": shape[2],
            "width": shape[3],
            **_computed(fields[name], shape, images.shape),
            **_measured(boxes[name]),
            "effective_before": smallest_square(before[name], GRADIENT_SHARE),
            "effective": smallest_square(after[name], GRADIENT_SHARE),
        }
        for name, shape in shapes.items()
    ]
    return pd.DataFrame(rows), {name: np.stack([before[name], after[name]]) for name in shapes}


def _computed(fields: Fields | None, shape: torch.Size, image_shape: torch.Size) -> dict[str, int | float]:
    """Size, stride and centre; NaN without a field. `seen_*`: the part of the central unit's field in the image."""
    row: dict[str, int | float] = {}
    for axis, name in enumerate(("height", "width")):
        field = fields[axis] if fields else None
        row[f"field_{name}"] = field.size if field else float("nan")
        row[f"stride_{name}"] = field.stride if field else float("nan")
        row[f"centre_{name}"] = field.centre if field else float("nan")
        first, end = field.window(shape[2 + axis] // 2, image_shape[2 + axis]) if field else (0, float("nan"))
        row[f"seen_{name}"] = end - first
    return row


def _measured(box: Box | None) -> dict[str, float]:
    height, width = (box[1] - box[0], box[3] - box[2]) if box else (float("nan"),) * 2
    return {"measured_height": height, "measured_width": width}


def gradient_extents(network: nn.Module, images: Tensor) -> dict[str, Box | None]:
    """By layer, the box of the pixels with a gradient of the central unit; None without any.

    Measured on a copy of the network in which no path vanishes: positive weights, average instead of maximum pooling,
    and no activation functions.
    """
    bright = torch.ones_like(images[:1], dtype=torch.float64)
    gradients = _central_gradients(_without_vanishing_paths(network), bright, random_signs=False)
    return {name: _extent(gradient[0].abs().sum(0).cpu().numpy()) for name, gradient in gradients.items()}


def gradient_magnitudes(network: nn.Module, images: Tensor) -> dict[str, np.ndarray]:
    """By layer, the gradient of its central unit: root mean square (H, W) over the images, summed over the channels.

    Luo et al. 2016. The channels of the layer are added with random signs, so that they do not cancel systematically.
    """
    gradients = _central_gradients(network, images, random_signs=True)
    return {
        name: gradient.square().mean(0).sum(0).sqrt().nan_to_num(0.0, posinf=0.0).cpu().numpy()  # if it overflows
        for name, gradient in gradients.items()
    }


def smallest_square(mass: np.ndarray, share: float) -> int:
    """Side of the smallest square, at any position, with this share of the mass (H, W); 0 if there is none."""
    sums = np.pad(mass.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    if not mass.any():
        return 0
    for side in range(1, max(mass.shape) + 1):
        height, width = min(side, mass.shape[0]), min(side, mass.shape[1])
        inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
        if inside.max() >= share * sums[-1, -1] * (1 - 1e-9):
            return side
    return max(mass.shape)


def _central_gradients(network: nn.Module, images: Tensor, *, random_signs: bool) -> dict[str, Tensor]:
    """By layer, the gradient (N, C, H, W) of the sum of its central unit over all channels."""
    images = images.detach().requires_grad_()
    generator = torch.Generator().manual_seed(1)
    gradients = {}
    for name, output in compute_maps(network, feature_layers(network), images).items():
        centre = output[:, :, output.shape[2] // 2, output.shape[3] // 2]
        signs = torch.randint(0, 2, centre.shape, generator=generator).to(centre) * 2 - 1
        total = (signs * centre if random_signs else centre).sum()
        gradients[name] = torch.autograd.grad(total, images, retain_graph=True)[0]
    return gradients


def _extent(mass: np.ndarray) -> Box | None:
    rows, columns = np.flatnonzero(mass.any(1)), np.flatnonzero(mass.any(0))
    if not len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _without_vanishing_paths(network: nn.Module) -> nn.Module:
    """A copy with positive filters that sum to 1: activation functions that are not removed do not saturate either."""
    copied = copy.deepcopy(network).double()
    generator = torch.Generator().manual_seed(1)
    for name, parameter in copied.named_parameters():
        values = torch.rand(parameter.shape, generator=generator) + 0.5
        if parameter.dim() > 1:
            values /= values.flatten(1).sum(1).view(-1, *[1] * (parameter.dim() - 1))
        parameter.data.copy_(torch.zeros_like(values) if name.endswith("bias") else values)
    for module in copied.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
        elif isinstance(module, nn.MaxPool2d):
            module.register_forward_hook(_average)
        elif type(module).__module__ == nn.ReLU.__module__:
            module.register_forward_hook(lambda module, inputs, output: inputs[0])
    return copied


def _average(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return F.avg_pool2d(inputs[0], module.kernel_size, module.stride, module.padding, module.ceil_mode)
