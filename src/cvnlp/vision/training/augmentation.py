"""Random augmentation of training images, a whole batch at a time.

Images are float (B, C, H, W) in [0, 1]. All draws come from torch's global random numbers.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.params.runs import Augment


def augment(images: Tensor, options: Augment) -> Tensor:
    """Transform each image on its own, in the order of the options.

    An option that is off draws no random number, so that it does not change the draws of the others. Alternating flips
    are not among them: they depend on the epoch (`alternating_flips`).
    """
    if options.shift or options.rotation or options.scale or options.shear:
        images = random_affine(
            images, shift=options.shift, rotation=options.rotation, scale=options.scale, shear=options.shear
        )
    if options.crop:
        images = random_crop(images, pixels=options.crop, fill=options.crop_fill)
    if options.flip is True:
        images = torch.where(_uniform(images) < 0.5, images.flip(3), images)
    if options.brightness:
        images = (images * (1 + _symmetric(images, options.brightness))).clamp(0, 1)
    if options.contrast:
        images = torch.lerp(_mean(images), images, 1 + _symmetric(images, options.contrast)).clamp(0, 1)
    if options.erasing:
        images = random_erasing(images, probability=options.erasing, fill=options.erasing_fill)
    return images


def _uniform(images: Tensor) -> Tensor:
    """A number in [0, 1) for each image, (B, 1, 1, 1)."""
    return torch.rand(len(images), device=images.device).view(-1, 1, 1, 1)


def _symmetric(images: Tensor, limit: float) -> Tensor:
    """A number in [-limit, limit) for each image, (B, 1, 1, 1)."""
    return (_uniform(images) * 2 - 1) * limit


def _mean(images: Tensor) -> Tensor:
    return images.mean((1, 2, 3), keepdim=True)


def random_affine(images: Tensor, *, shift: float, rotation: float, scale: float, shear: float) -> Tensor:
    """Shift by up to `shift` pixels, rotate and shear horizontally by up to so many degrees, scale by 1 +- `scale`.

    All are drawn uniformly, with bilinear interpolation; pixels from outside the image are black.
    """
    count, _, height, width = images.shape

    def draw(limit: float) -> Tensor:
        return _symmetric(images, limit).view(count)

    angle, factor = draw(math.radians(rotation)), 1 + draw(scale)
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    # affine_grid counts in half sizes: a pixel is 2 / size; the ratio of the sides keeps a rotation rigid
    first = torch.stack([cos, -sin * height / width, draw(2 * shift / width)], dim=1)
    second = torch.stack([sin * width / height, cos, draw(2 * shift / height)], dim=1)
    if shear:
        slope = torch.tan(draw(math.radians(shear))) * height / width
        first = first + slope[:, None] * F.pad(second[:, :2], (0, 1))  # the shift itself is not sheared
    with torch.autocast(images.device.type, enabled=False):  # rounded coordinates would blur the images
        grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)


def random_crop(images: Tensor, *, pixels: int, fill: str) -> Tensor:
    """Pad by `pixels` on every side, with zeros or by reflection, and crop a random window of the old size.

    Whole pixels need no interpolation: more than twice as fast as `random_affine`. ValueError if the image is too small
    to reflect so many pixels.
    """
    count, _, height, width = images.shape
    if fill == "reflect" and pixels >= min(height, width):
        raise ValueError(
            f"train.augment.crop: {pixels} is too large for reflection in images of {height} x {width}; "
            f"take at most {min(height, width) - 1}, or crop_fill: zero"
        )
    padded = F.pad(images, (pixels,) * 4, mode="reflect" if fill == "reflect" else "constant")
    # float32 may round the largest product up to the integer above it, hence the clamp
    top, left = ((_uniform(images) * (2 * pixels + 1)).long().clamp(max=2 * pixels).view(count) for _ in range(2))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # all positions at once, as a view
    return windows[torch.arange(count, device=images.device), :, top, left]


def random_erasing(images: Tensor, *, probability: float, fill: str) -> Tensor:
    """Fill a random rectangle with zeros or the image's mean, in each image with the given probability.

    Area 2 % to 33 % of the image, height / width 0.3 to 3.3, as in section 3 of Zhong et al. 2020, cut to the image.
    """
    height, width = images.shape[2:]
    chosen = _uniform(images) < probability
    area = (0.02 + _uniform(images) * 0.31) * height * width
    aspect = torch.exp(_symmetric(images, math.log(3.3)))
    rows = _interval((area * aspect).sqrt(), _uniform(images), height).view(-1, 1, height, 1)
    columns = _interval((area / aspect).sqrt(), _uniform(images), width).view(-1, 1, 1, width)
    filling = _mean(images) if fill == "mean" else torch.zeros((), device=images.device)
    return torch.where(chosen & rows & columns, filling, images)


def _interval(length: Tensor, position: Tensor, size: int) -> Tensor:
    """Bool (size,): the pixels in an interval of `length`, at the first possible `position` (0) up to the last (1)."""
    length = length.round().clamp(1, size)
    start = (position * (size - length + 1)).floor().minimum(size - length)
    pixel = torch.arange(size, device=length.device)
    return (pixel >= start) & (pixel < start + length)


def alternating_flips(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """The images, bool (count,), that an epoch flips: a random half in the first, then always the other half.

    Section 3.6 of Jordan 2024 (arXiv 2404.00498): with independent draws, half of the images have the same orientation
    in two epochs in a row.
    """
    first = np.random.default_rng((seed, 2)).random(count) < 0.5
    return first ^ bool(epoch % 2)
