"""How far a picture may be turned, scaled or moved before it is read wrong, and how faithfully maps move with it."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.insight.layers import Layers, answers
from cvnlp.vision.insight.receptive_fields import Field, Fields

BATCH = 128  # stays in the processor's cache: 1.5 times as fast as 512
SMALL_BATCH = 8  # of pictures with a wide border


def transform(
    images: Tensor, *, rotation: float = 0.0, scale: float = 1.0, right: float = 0.0, down: float = 0.0
) -> Tensor:
    """Turned by `rotation` degrees anticlockwise and enlarged about the middle, then moved by pixels.

    Bilinear; what comes in from outside is black. A move by whole pixels alone is exact.
    """
    if rotation == 0 and scale == 1 and right == int(right) and down == int(down):
        return _move(images, int(right), int(down))
    height, width = images.shape[2:]
    cos, sin = (function(math.radians(rotation)) / scale for function in (math.cos, math.sin))
    # from a place of the result to its source, in affine_grid's units: half sizes, from the middle
    source = [
        [cos, -sin * height / width, -(cos * right - sin * down) * 2 / width],
        [sin * width / height, cos, -(sin * right + cos * down) * 2 / height],
    ]
    matrix = torch.tensor([source]).to(images).expand(len(images), -1, -1)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _move(images: Tensor, right: int, down: int) -> Tensor:
    height, width = images.shape[2:]
    right, down = max(-width, min(right, width)), max(-height, min(down, height))
    return F.pad(images, (right, -right, down, -down))


@torch.inference_mode()
def read(network: nn.Module, images: Tensor) -> Tensor:
    """The class of each picture (N,)."""
    return torch.cat([network(batch).argmax(1) for batch in images.split(BATCH)])


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return int((read(network, images) == labels).sum()) / len(labels)


def curves(network: nn.Module, images: Tensor, labels: Tensor, grid: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Accuracy at every amount of every change of `grid`, whose keys are arguments of `transform`."""
    rows = [
        {"change": change, "amount": amount, "accuracy": accuracy(network, changed, labels)}
        for change, amounts in grid.items()
        for amount in sorted(amounts)
        for changed in [transform(images, **{change: amount})]
    ]
    return pd.DataFrame(rows)


def turns_and_shifts(*, rotation: float, rotations: int, shift: float, shifts: int) -> list[dict[str, float]]:
    """The grid of Engstrom et al. 2019 to `rotation` degrees and `shift` pixels each way, the smallest change first."""
    angles, moves = np.linspace(-rotation, rotation, rotations), np.linspace(-shift, shift, shifts)
    points = [
        {"rotation": float(angle), "right": float(right), "down": float(down)}
        for angle, right, down in itertools.product(angles, moves, moves)
    ]
    limits = {"rotation": rotation, "right": shift, "down": shift}
    return sorted(points, key=lambda point: round(sum(abs(point[key]) / (limits[key] or 1) for key in point), 9))


def worst_case(
    network: nn.Module, images: Tensor, labels: Tensor, points: list[dict[str, float]]
) -> tuple[float, pd.DataFrame]:
    """The share of pictures read rightly at every point, and for each other the first point at which it was not.

    Columns row, rotation, right, down, predicted; those that are read wrong unchanged are not listed.
    """
    unchanged = read(network, images) == labels
    left = unchanged.nonzero()[:, 0]
    rows = []
    for point in points:
        if not len(left):
            break
        named = read(network, transform(images[left], **point))
        fooled = named != labels[left]
        rows += [
            {"row": row, **point, "predicted": predicted}
            for row, predicted in zip(left[fooled].tolist(), named[fooled].tolist(), strict=True)
        ]
        left = left[~fooled]
    columns = ["row", "rotation", "right", "down", "predicted"]
    return len(left) / len(images), pd.DataFrame(rows, columns=columns)


@torch.no_grad()
def equivariance(
    network: nn.Module, layers: Layers, images: Tensor, fields: dict[str, Fields | None], shifts: Iterable[int]
) -> pd.DataFrame:
    """How much map(shift(picture)) differs from shift(map(picture)), relative to what the picture adds to the map.

    Root mean square over pictures and both directions, a row per layer and shift in pixels. The pictures lie in black
    so wide that no unit compared sees the padding. A shift by no multiple of the stride is one between two units: the
    map is interpolated linearly. Layers whose field is not known are left out.
    """
    known = {name: pair for name, _ in layers if (pair := fields.get(name))}
    followed = [(name, module) for name, module in layers if name in known]
    margin = max((field.size + field.stride for pair in known.values() for field in pair), default=0) + max(shifts)
    totals = {(name, shift): np.zeros(2) for name in known for shift in sorted(shifts)}
    for batch in images.split(SMALL_BATCH) if known else ():
        wide = F.pad(batch, (margin,) * 4)
        plain = answers(network, followed, wide)
        for shift, axis in itertools.product(shifts, (0, 1)):
            moved = answers(network, followed, _move(wide, shift * axis, shift * (1 - axis)))
            for name, pair in known.items():
                totals[name, shift] += _differences(plain[name], moved[name], pair, wide.shape[2:], shift, axis)
    rows = [
        {"layer": name, "shift": shift, "difference": math.sqrt(difference / added) if added else math.nan}
        for (name, shift), (difference, added) in totals.items()
    ]
    return pd.DataFrame(rows, columns=["layer", "shift", "difference"])


def _differences(
    plain: Tensor, moved: Tensor, fields: Fields, canvas: torch.Size, shift: int, axis: int
) -> tuple[float, float]:
    """Sums of squares over the units that see no padding: of the difference, and of what the picture adds."""
    cells, rest = divmod(shift, fields[axis].stride)
    part = rest / fields[axis].stride
    expected = plain.roll(cells, 2 + axis)
    if rest:
        expected = torch.lerp(expected, plain.roll(cells + 1, 2 + axis), part)
    spans = [_inner(field, length) for field, length in zip(fields, canvas, strict=True)]
    black = plain[:1, :, spans[0].start, spans[1].start].view(1, -1, 1, 1)  # the corner sees no picture
    spans[axis] = slice(spans[axis].start + cells + bool(rest), spans[axis].stop)
    inside = (slice(None), slice(None), *spans)
    difference, added = (moved - expected)[inside], (expected - black)[inside]
    return float(difference.double().square().sum()), float(added.double().square().sum())


def _inner(field: Field, length: int) -> slice:
    """The units whose field lies within the picture."""
    return slice(-(field.start // field.stride), (length - field.size - field.start) // field.stride + 1)
