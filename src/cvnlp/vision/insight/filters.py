"""What filters have learned: weights of the first layer, patches with the strongest activation, and feature maps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.layers import Layers, compute_maps, load_images
from cvnlp.vision.insight.receptive_fields import Fields

BATCH = 256
OUTSIDE = 128  # grey value of the part of a patch that lies outside its image


def first_layer_filters(network: nn.Module, shape: list[int], count: int) -> np.ndarray | None:
    """The first `count` filters of the first layer, float32 (N, h, w, C).

    They are as large as the kernel; those of a fully connected layer as large as the images, (H, W, C). None if the
    weights of the first layer are not filters of an image.
    """
    height, width, channels = shape
    for module in network.modules():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor):
            continue
        if weight.dim() == 2 and weight.shape[1] == height * width * channels:
            weight = weight.view(-1, channels, height, width)
        fits = weight.dim() == 4 and weight.shape[1] == channels
        return weight[:count].detach().permute(0, 2, 3, 1).float().cpu().numpy() if fits else None
    return None


@dataclass(frozen=True)
class TopActivations:
    """For each filter of a layer, the images with the highest activation, highest first.

    `rows` of the images and `values` of the activations are (filters, images), `positions` (filters, images, 2) the row
    and column of the unit. `dead`: share of all filters of the layer that have the same activation everywhere.
    """

    rows: np.ndarray
    positions: np.ndarray
    values: np.ndarray
    dead: float


@torch.no_grad()
def top_activations(
    network: nn.Module,
    layers: Layers,
    data: Path,
    split: str,
    rows: np.ndarray,
    *,
    filters: int,
    patches: int,
    batch_size: int = BATCH,
) -> dict[str, TopActivations]:
    """By layer: for its first `filters` filters, the `patches` images among `rows` with the highest activation.

    Each image counts with its strongest unit only, so that the patches are from different images.
    """
    batches = (load_images(data, split, chosen)[0] for chosen in np.array_split(rows, -(-len(rows) // batch_size)))
    peaks = [{name: _peaks(maps) for name, maps in compute_maps(network, layers, images).items()} for images in batches]
    found = {}
    for name, _ in layers:
        highest, lowest, positions = (torch.cat(parts) for parts in zip(*(peak[name] for peak in peaks), strict=True))
        dead = float((highest.amax(0) == lowest.amin(0)).double().mean())
        order = highest[:, :filters].argsort(dim=0, descending=True, stable=True)[:patches]  # (patches, filters)
        values = highest.gather(0, order).T.cpu().numpy()
        units = positions.gather(0, order[..., None].expand(-1, -1, 2)).transpose(0, 1).cpu().numpy()
        found[name] = TopActivations(rows[order.T.cpu().numpy()], units, values, dead)
    return found


def _peaks(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Highest and lowest value (B, channels), and row and column of the highest (B, channels, 2)."""
    highest, positions = maps.flatten(2).max(2)
    width = maps.shape[3]
    return highest, maps.flatten(2).amin(2), torch.stack([positions // width, positions % width], dim=2)


def cut_patches(images: np.ndarray, top: TopActivations, fields: Fields | None) -> np.ndarray:
    """The receptive fields of the units in `top`, uint8 (filters, patches, h, w, C).

    `images` (N, H, W, C) is the whole split. A patch is at most as large as the image, and the whole image if the field
    is unknown.
    """
    shape = images.shape[1:3]
    sizes = [min(field.size, length) for field, length in zip(fields, shape, strict=True)] if fields else list(shape)
    cut = np.full((*top.rows.shape, *sizes, images.shape[3]), OUTSIDE, np.uint8)
    for place in np.ndindex(top.rows.shape):
        corner = [
            _corner(field.start + int(unit) * field.stride, field.size, length)
            for field, unit, length in zip(fields or (), top.positions[place], shape, strict=bool(fields))
        ] or [0, 0]
        _copy_window(images[top.rows[place]], cut[place], corner)
    return cut


def _corner(start: int, size: int, length: int) -> int:
    """First pixel of a patch; a field larger than the image is cut to it."""
    return start if size <= length else 0


def _copy_window(image: np.ndarray, target: np.ndarray, corner: list[int]) -> None:
    (top, left), (height, width) = corner, target.shape[:2]
    above, before = max(-top, 0), max(-left, 0)
    inside = image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    target[above : above + inside.shape[0], before : before + inside.shape[1]] = inside


@torch.no_grad()
def feature_maps(network: nn.Module, layers: Layers, image: Tensor, count: int) -> dict[str, np.ndarray]:
    """The first `count` maps (count, h, w) of every layer for one image (1, C, H, W)."""
    maps = compute_maps(network, layers, image)
    return {name: output[0, :count].float().nan_to_num(0.0, 0.0, 0.0).cpu().numpy() for name, output in maps.items()}
