"""What the filters have learned: the first layer's as pictures, deeper ones by what excites them, and their maps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.layers import Layers, answers, pictures
from cvnlp.vision.insight.receptive_fields import Fields

BATCH = 256
OUTSIDE = 128  # grey, of a patch that reaches over the border of its picture


def first_weights(network: nn.Module, shape: list[int], count: int) -> np.ndarray | None:
    """The first `count` filters of the first layer, float32 (N, h, w, C); None if they are no pictures.

    A filter is as large as its kernel; that of a fully connected layer as large as the picture (H, W, C).
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
class Strongest:
    """Of each filter of a layer, the pictures that excite it most: rows, places and values (filters, patches)."""

    rows: np.ndarray
    places: np.ndarray  # (filters, patches, 2): row and column of the unit
    values: np.ndarray
    idle: float  # share of all filters that answer every picture alike


@torch.no_grad()
def strongest(
    network: nn.Module, layers: Layers, data: Path, split: str, rows: np.ndarray, *, filters: int, patches: int
) -> dict[str, Strongest]:
    """For the first `filters` of every layer the `patches` pictures of `rows` with the greatest answers.

    Of each picture only the place that answers most, so that they are of different pictures.
    """
    peaks = [
        {name: _peaks(maps) for name, maps in answers(network, layers, pictures(data, split, chosen)[0]).items()}
        for chosen in np.array_split(rows, -(-len(rows) // BATCH))
    ]
    found = {}
    for name, _ in layers:
        highest, lowest, places = (torch.cat(parts) for parts in zip(*(peak[name] for peak in peaks), strict=True))
        idle = float((highest.amax(0) == lowest.amin(0)).double().mean())
        order = highest[:, :filters].argsort(dim=0, descending=True, stable=True)[:patches]  # (patches, filters)
        values = highest.gather(0, order).T.cpu().numpy()
        cells = places.gather(0, order[..., None].expand(-1, -1, 2)).transpose(0, 1).cpu().numpy()
        found[name] = Strongest(rows[order.T.cpu().numpy()], cells, values, idle)
    return found


def _peaks(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Greatest and least value (B, channels), and row and column of the greatest (B, channels, 2)."""
    highest, places = maps.flatten(2).max(2)
    width = maps.shape[3]
    return highest, maps.flatten(2).amin(2), torch.stack([places // width, places % width], dim=2)


def patches(images: np.ndarray, found: Strongest, fields: Fields | None) -> np.ndarray:
    """What the units saw, uint8 (filters, patches, h, w, C), of `images` (N, H, W, C), the whole split.

    As large as the field, at most as the picture; all of the picture where the field is not known.
    """
    shape = images.shape[1:3]
    sizes = [min(field.size, length) for field, length in zip(fields, shape, strict=True)] if fields else list(shape)
    cut = np.full((*found.rows.shape, *sizes, images.shape[3]), OUTSIDE, np.uint8)
    for place in np.ndindex(found.rows.shape):
        corner = [
            _corner(field.start + int(unit) * field.stride, field.size, length)
            for field, unit, length in zip(fields or (), found.places[place], shape, strict=bool(fields))
        ] or [0, 0]
        _copy_window(images[found.rows[place]], cut[place], corner)
    return cut


def _corner(start: int, size: int, length: int) -> int:
    """Where the cut begins: a field larger than the picture is cut to it."""
    return start if size <= length else 0


def _copy_window(image: np.ndarray, target: np.ndarray, corner: list[int]) -> None:
    (top, left), (height, width) = corner, target.shape[:2]
    above, before = max(-top, 0), max(-left, 0)
    seen = image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    target[above : above + seen.shape[0], before : before + seen.shape[1]] = seen


@torch.no_grad()
def feature_maps(network: nn.Module, layers: Layers, image: Tensor, count: int) -> dict[str, np.ndarray]:
    """The first `count` maps (count, h, w) of every layer for one image (1, C, H, W)."""
    maps = answers(network, layers, image)
    return {name: output[0, :count].float().cpu().numpy() for name, output in maps.items()}
