"""Equivariance of feature maps: how exactly they shift with the image."""

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.inference.spatial import shift_pixels
from cvnlp.vision.insight.layers import Layers, compute_maps
from cvnlp.vision.insight.receptive_fields import Field, Fields

BATCH = 8  # images, which get a wide border


@torch.no_grad()
def equivariance_errors(
    network: nn.Module,
    layers: Layers,
    images: Tensor,
    fields: dict[str, Fields | None],
    shifts: Iterable[int],
    *,
    batch_size: int = BATCH,
) -> pd.DataFrame:
    """Difference between map(shift(image)) and shift(map(image)), relative to the response to the image.

    Returns a row per layer and shift in pixels: the root mean square over images and both directions. A black border
    around the images is so wide that no unit compared depends on padding. After a shift that is no multiple of the
    stride the map is interpolated linearly. Layers without a known receptive field are left out.
    """
    known = {name: pair for name, _ in layers if (pair := fields.get(name))}
    compared = [(name, module) for name, module in layers if name in known]
    margin = max((field.size + field.stride for pair in known.values() for field in pair), default=0) + max(shifts)
    totals = {(name, shift): np.zeros(2) for name in known for shift in sorted(shifts)}
    for batch in images.split(batch_size) if known else ():
        wide = F.pad(batch, (margin,) * 4)
        plain = compute_maps(network, compared, wide)
        for shift, axis in itertools.product(shifts, (0, 1)):
            shifted = compute_maps(network, compared, shift_pixels(wide, shift * axis, shift * (1 - axis)))
            for name, pair in known.items():
                totals[name, shift] += _squares(plain[name], shifted[name], pair, wide.shape[2:], shift, axis)
    with np.errstate(invalid="ignore"):  # a diverged network overflows
        rows = [
            {"layer": name, "shift": shift, "difference": math.sqrt(difference / response) if response else math.nan}
            for (name, shift), (difference, response) in totals.items()
        ]
    return pd.DataFrame(rows, columns=["layer", "shift", "difference"])


def _squares(
    plain: Tensor, shifted: Tensor, fields: Fields, canvas: torch.Size, shift: int, axis: int
) -> tuple[float, float]:
    """Sums of squares over the units without padding in their fields: of the difference and of the response."""
    cells, rest = divmod(shift, fields[axis].stride)
    part = rest / fields[axis].stride
    expected = plain.roll(cells, 2 + axis)
    if rest:
        expected = torch.lerp(expected, plain.roll(cells + 1, 2 + axis), part)
    spans = [_inner(field, length) for field, length in zip(fields, canvas, strict=True)]
    black = plain[:1, :, spans[0].start, spans[1].start].view(1, -1, 1, 1)  # the corner's field is all black
    spans[axis] = slice(spans[axis].start + cells + bool(rest), spans[axis].stop)
    inside = (slice(None), slice(None), *spans)
    difference, response = (shifted - expected)[inside], (expected - black)[inside]
    return float(difference.double().square().sum()), float(response.double().square().sum())


def _inner(field: Field, length: int) -> slice:
    """The units whose field lies within the image."""
    return slice(-(field.start // field.stride), (length - field.size - field.start) // field.stride + 1)
