"""Random changes of training pictures, drawn for every picture of a batch at once."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, *, shift: float, rotation: float, scale: float) -> Tensor:
    """Each picture of (B, C, H, W) moved by up to `shift` pixels, turned by `rotation` degrees, scaled by 1 +- `scale`.

    All drawn uniformly; what comes in from outside is black. Uses torch's global random numbers.
    """
    if not (shift or rotation or scale):
        return images
    count, _, height, width = images.shape

    def draw(extent: float) -> Tensor:
        return (torch.rand(count, device=images.device) * 2 - 1) * extent

    angle, factor = draw(math.radians(rotation)), 1 + draw(scale)
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    # affine_grid measures in half sizes: a pixel is 2 / size; the ratio keeps a turn rigid on oblong pictures
    first = torch.stack([cos, -sin * height / width, draw(2 * shift / width)], dim=1)
    second = torch.stack([sin * width / height, cos, draw(2 * shift / height)], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid.to(images.dtype), align_corners=False)
