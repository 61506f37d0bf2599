"""What part of the picture a unit of each layer sees: by theory, as measured, and where the trained network looks."""

import copy
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.insight.layers import answers, feature_layers
from cvnlp.vision.insight.receptive_fields import Fields

HELD = 0.9  # share of the gradient that the effective field holds

Box = tuple[int, int, int, int]  # top, bottom, left, right


def measure(
    network: nn.Module, fresh: nn.Module, images: Tensor, fields: dict[str, Fields | None]
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """A row for every layer: its map, its field by theory and as measured; and its gradients (2, H, W).

    These are before training and after, as are the sides of the squares that hold 90 % of them, `effective*`.
    """
    layers = feature_layers(network)
    maps = {name: output.shape for name, output in answers(network, layers, images[:1]).items()}
    boxes = extents(network, images)
    before, after = effective(fresh, images), effective(network, images)
    rows = [
        {
            "layer": name,
            "channels": shape[1],
            "height": shape[2],
            "width": shape[3],
            **_theory(fields[name], shape, images.shape),
            **_measured(boxes[name]),
            "effective_before": side_holding(before[name], HELD),
            "effective": side_holding(after[name], HELD),
        }
        for name, shape in maps.items()
    ]
    return pd.DataFrame(rows), {name: np.stack([before[name], after[name]]) for name in maps}


def _theory(fields: Fields | None, shape: torch.Size, picture: torch.Size) -> dict[str, int | float]:
    """Empty where theory knows no field; `seen_*`: what of the picture lies in the field of the central unit."""
    row: dict[str, int | float] = {}
    for axis, name in enumerate(("height", "width")):
        field = fields[axis] if fields else None
        row[f"field_{name}"] = field.size if field else float("nan")
        row[f"stride_{name}"] = field.stride if field else float("nan")
        row[f"centre_{name}"] = field.centre if field else float("nan")
        first, end = field.window(shape[2 + axis] // 2, picture[2 + axis]) if field else (0, float("nan"))
        row[f"seen_{name}"] = end - first
    return row


def _measured(box: Box | None) -> dict[str, float]:
    height, width = (box[1] - box[0], box[3] - box[2]) if box else (float("nan"),) * 2
    return {"measured_height": height, "measured_width": width}


def extents(network: nn.Module, images: Tensor) -> dict[str, Box | None]:
    """The pixels at which the central unit of each layer has a gradient; None where it has none.

    Measured on a copy that hides no path: with positive weights, averages for maxima, and no activations.
    """
    bright = torch.ones_like(images[:1], dtype=torch.float64)
    gradients = _central_gradients(_transparent(network), bright, mixed=False)
    return {name: _extent(gradient[0].abs().sum(0).cpu().numpy()) for name, gradient in gradients.items()}


def effective(network: nn.Module, images: Tensor) -> dict[str, np.ndarray]:
    """Root mean square (H, W) of the gradient of each layer's central unit, over pictures and channels.

    Luo et al. 2016, whose sum over the channels is one with random signs here, so that none cancels another.
    """
    gradients = _central_gradients(network, images, mixed=True)
    return {name: gradient.square().mean(0).sum(0).sqrt().cpu().numpy() for name, gradient in gradients.items()}


def side_holding(mass: np.ndarray, share: float) -> int:
    """Side of the smallest square, wherever it lies, that holds `share` of the mass; 0 without any."""
    sums = np.pad(mass.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    if not mass.any():
        return 0
    for side in range(1, max(mass.shape) + 1):
        height, width = min(side, mass.shape[0]), min(side, mass.shape[1])
        held = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
        if held.max() >= share * sums[-1, -1] * (1 - 1e-9):
            return side
    return max(mass.shape)


def _central_gradients(network: nn.Module, images: Tensor, *, mixed: bool) -> dict[str, Tensor]:
    """(N, C, H, W) for each layer, of the sum of its channels' central units; `mixed`: with random signs."""
    images = images.detach().requires_grad_()
    generator = torch.Generator().manual_seed(1)
    gradients = {}
    for name, output in answers(network, feature_layers(network), images).items():
        centre = output[:, :, output.shape[2] // 2, output.shape[3] // 2]
        signs = torch.randint(0, 2, centre.shape, generator=generator).to(centre) * 2 - 1
        total = (signs * centre if mixed else centre).sum()
        gradients[name] = torch.autograd.grad(total, images, retain_graph=True)[0]
    return gradients


def _extent(mass: np.ndarray) -> Box | None:
    rows, columns = np.flatnonzero(mass.any(1)), np.flatnonzero(mass.any(0))
    if not len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _transparent(network: nn.Module) -> nn.Module:
    """Every filter positive with the sum 1, so that also a squashing activation of one's own keeps a gradient."""
    clear = copy.deepcopy(network).double()
    generator = torch.Generator().manual_seed(1)
    for name, parameter in clear.named_parameters():
        values = torch.rand(parameter.shape, generator=generator) + 0.5
        if parameter.dim() > 1:
            values /= values.flatten(1).sum(1).view(-1, *[1] * (parameter.dim() - 1))
        parameter.data.copy_(torch.zeros_like(values) if name.endswith("bias") else values)
    for module in clear.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
        elif isinstance(module, nn.MaxPool2d):
            module.register_forward_hook(_average)
        elif type(module).__module__ == nn.ReLU.__module__:
            module.register_forward_hook(lambda module, inputs, output: inputs[0])
    return clear


def _average(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return F.avg_pool2d(inputs[0], module.kernel_size, module.stride, module.padding, module.ceil_mode)
