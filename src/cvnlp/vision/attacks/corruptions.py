"""Corruptions of images at five strengths, in the style of MNIST-C and ImageNet-C: noise, blur, geometry and light.

After Mu and Gilmer 2019, and Hendrycks and Dietterich 2019. Lengths are fractions of the side of the image, so that a
strength means the same for images of any size.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.params.attacks import Corruption
from cvnlp.vision.inference import predict_classes

STRENGTHS = (1, 2, 3, 4, 5)
BATCH = 128  # images in memory at a time
SEED = 1
SPECK = 0.8  # brightness of spattered liquid
FOG_DECAY = 0.5  # of the amplitude from one octave of the fog to the next, finer one


@dataclass(frozen=True)
class CorruptionEntry:
    """`apply`: images (B, C, H, W) in [0, 1], a parameter, and a generator on the CPU -> images, maybe beyond [0, 1].

    `parameters`: those of strengths 1 to 5.
    """

    apply: Callable[[Tensor, float, torch.Generator], Tensor]
    parameters: tuple[float, float, float, float, float]

    def __call__(self, images: Tensor, strength: int, generator: torch.Generator) -> Tensor:
        """The images (B, C, H, W) corrupted, float in [0, 1]; random numbers come from `generator` alone."""
        if strength not in STRENGTHS:
            raise ValueError(f"strength: {strength} is none of {', '.join(map(str, STRENGTHS))}")
        return self.apply(images, self.parameters[strength - 1], generator).clamp(0, 1)


def corruption_accuracies(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    names: Sequence[Corruption],
    *,
    strengths: Sequence[int] = STRENGTHS,
    seed: int = SEED,
) -> pd.DataFrame:
    """Columns corruption, strength and accuracy: of corrupted images (N, C, H, W) in [0, 1] with labels int64 (N,).

    All strengths of a corruption have the same random numbers.
    """
    rows = [
        (name, strength, _accuracy(network, images, labels, name, strength, seed))
        for name in names
        for strength in strengths
    ]
    return pd.DataFrame(rows, columns=["corruption", "strength", "accuracy"])


def _accuracy(network: nn.Module, images: Tensor, labels: Tensor, name: Corruption, strength: int, seed: int) -> float:
    generator, correct = torch.Generator().manual_seed(seed), 0
    for batch, of_batch in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        predicted = predict_classes(network, CORRUPTION_TABLE[name](batch, strength, generator))
        correct += int((predicted == of_batch.to(predicted.device)).sum())
    return correct / len(images)


# Noise ----------------------------------------------------------------------------------------------------------------


def _uniform(images: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator).to(images)


def _gaussian_noise(images: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    return images + deviation * torch.randn(images.shape, generator=generator).to(images)


def _shot_noise(images: Tensor, photons: float, generator: torch.Generator) -> Tensor:
    """Poisson noise of so many photons in a white pixel: black stays black."""
    return torch.poisson(images.cpu() * photons, generator=generator).to(images) / photons


def _impulse_noise(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Set this share of all values to 0 or 1, with equal probability."""
    uniform = _uniform(images, generator, *images.shape)
    return torch.where(uniform < share, (uniform < share / 2).to(images), images)


# Blur -----------------------------------------------------------------------------------------------------------------


def _gaussian_blur(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """`share`: the standard deviation as a fraction of the side."""
    return _blur(images, share * min(images.shape[2:]))


def _blur(images: Tensor, deviation: float) -> Tensor:
    radius = min(math.ceil(3 * deviation), min(images.shape[2:]) - 1)  # fewer pixels than the side are reflected
    weights = torch.exp(-((torch.arange(-radius, radius + 1) / deviation) ** 2) / 2).to(images)
    kernel = (weights / weights.sum()).expand(images.shape[1], 1, 1, -1)
    padded = F.pad(images, [radius] * 4, mode="reflect")
    rows = F.conv2d(padded, kernel, groups=images.shape[1])
    return F.conv2d(rows, kernel.mT, groups=images.shape[1])


def _motion_blur(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The mean along a path of this fraction of the side, in a direction of each image."""
    angles = math.pi * _uniform(images, generator, len(images))
    length = share * min(images.shape[2:])
    offsets = torch.linspace(-length / 2, length / 2, math.ceil(length) + 1).tolist()
    shifted = [_affine(images, right=offset * angles.cos(), down=offset * angles.sin()) for offset in offsets]
    return torch.stack(shifted).mean(0)


def _pixelation(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Fewer pixels: this fraction of each side."""
    height, width = images.shape[2:]
    small = F.adaptive_avg_pool2d(images, (max(1, round(share * height)), max(1, round(share * width))))
    return F.interpolate(small, (height, width), mode="nearest")


# Geometry -------------------------------------------------------------------------------------------------------------


def _affine(images: Tensor, *, matrix: Tensor | None = None, right: Tensor, down: Tensor) -> Tensor:
    """Shift each image by pixels (B,), after `matrix` (B, 2, 2), from a position of the result to its source.

    Positions are in pixels from the centre; bilinear, and black outside.
    """
    count, _, height, width = images.shape
    linear = torch.eye(2).to(images).expand(count, 2, 2) if matrix is None else matrix
    source = torch.cat([linear, -(linear @ torch.stack([right, down], 1)[..., None])], 2)  # in pixels
    sides = torch.tensor([width / 2, height / 2]).to(images)
    theta = source * torch.cat([sides, sides.new_ones(1)]) / sides[:, None]  # in half sides, as affine_grid
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _linear(images: Tensor, rows: list[list[Tensor]]) -> Tensor:
    """Transform each image by a matrix, of the elements (B,), from a position of the result to its source."""
    still = images.new_zeros(len(images))
    return _affine(images, matrix=torch.stack([torch.stack(row, 1) for row in rows], 1), right=still, down=still)


def _signs(images: Tensor, generator: torch.Generator) -> Tensor:
    """1 or -1 for each image."""
    return (_uniform(images, generator, len(images)) < 0.5).to(images) * 2 - 1


def _rotation(images: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    angles = math.radians(degrees) * _signs(images, generator)
    cos, sin = angles.cos(), angles.sin()
    return _linear(images, [[cos, -sin], [sin, cos]])


def _scale(images: Tensor, factor: float, generator: torch.Generator) -> Tensor:
    inverse, zero = images.new_full((len(images),), 1 / factor), images.new_zeros(len(images))
    return _linear(images, [[inverse, zero], [zero, inverse]])


def _translation(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A shift by this fraction of the side, in any direction."""
    angles, length = 2 * math.pi * _uniform(images, generator, len(images)), share * min(images.shape[2:])
    return _affine(images, right=length * angles.cos(), down=length * angles.sin())


def _shear(images: Tensor, slope: float, generator: torch.Generator) -> Tensor:
    """Each row shifts by `slope` times its distance from the centre."""
    one, zero = images.new_ones(len(images)), images.new_zeros(len(images))
    return _linear(images, [[one, slope * _signs(images, generator)], [zero, one]])


# Light and occlusion --------------------------------------------------------------------------------------------------


def _brightness(images: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    return images + amount


def _contrast(images: Tensor, factor: float, generator: torch.Generator) -> Tensor:
    return images.mean((1, 2, 3), keepdim=True).lerp(images, factor)


def _fog(images: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Add a cloud, and keep the range of the brightness, as in ImageNet-C."""
    return (images + amount * _cloud(images, generator)) / (1 + amount)


def _cloud(images: Tensor, generator: torch.Generator) -> Tensor:
    """Noise (B, 1, H, W) in [0, 1] of several octaves."""
    size, octaves = list(images.shape[2:]), max(1, int(math.log2(min(images.shape[2:]))))
    total = images.new_zeros(len(images), 1, *size)
    for octave in range(octaves):
        coarse = _uniform(images, generator, len(images), 1, 2 ** (octave + 1), 2 ** (octave + 1))
        total += FOG_DECAY**octave * F.interpolate(coarse, size, mode="bilinear", align_corners=True)
    low, high = (function(total, (2, 3), keepdim=True) for function in (torch.amin, torch.amax))
    return (total - low) / (high - low)


def _stripe(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Invert a vertical stripe of this fraction of the width, at a random place."""
    width = images.shape[3]
    stripe = max(1, round(share * width))
    starts = (_uniform(images, generator, len(images)) * (width - stripe + 1)).floor()
    distance = torch.arange(width).to(images) - starts[:, None]
    inside = ((distance >= 0) & (distance < stripe))[:, None, None]
    return torch.where(inside, 1 - images, images)


def _spatter(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Cover this share of the pixels with drops."""
    noise = torch.randn(len(images), 1, *images.shape[2:], generator=generator).to(images)
    drops = _blur(noise, max(0.6, 0.04 * min(images.shape[2:])))
    level = drops.flatten(1).quantile(1 - share, dim=1).view(-1, 1, 1, 1)
    return torch.where(drops > level, SPECK, images)


CORRUPTION_TABLE: Mapping[Corruption, CorruptionEntry] = {
    "gaussian_noise": CorruptionEntry(_gaussian_noise, (0.1, 0.2, 0.3, 0.45, 0.6)),
    "shot_noise": CorruptionEntry(_shot_noise, (20, 8, 4, 2, 1)),
    "impulse_noise": CorruptionEntry(_impulse_noise, (0.05, 0.1, 0.2, 0.3, 0.4)),
    "gaussian_blur": CorruptionEntry(_gaussian_blur, (0.025, 0.05, 0.075, 0.1, 0.125)),
    "motion_blur": CorruptionEntry(_motion_blur, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "rotation": CorruptionEntry(_rotation, (15, 30, 40, 50, 60)),
    "scale": CorruptionEntry(_scale, (0.85, 0.7, 0.6, 0.5, 0.4)),
    "translation": CorruptionEntry(_translation, (0.05, 0.1, 0.15, 0.2, 0.25)),
    "shear": CorruptionEntry(_shear, (0.2, 0.4, 0.6, 0.8, 1.0)),
    "brightness": CorruptionEntry(_brightness, (0.1, 0.2, 0.35, 0.5, 0.65)),
    "contrast": CorruptionEntry(_contrast, (0.5, 0.35, 0.2, 0.1, 0.05)),
    "fog": CorruptionEntry(_fog, (0.5, 1.0, 1.5, 2.0, 3.0)),
    "stripe": CorruptionEntry(_stripe, (0.04, 0.08, 0.15, 0.25, 0.4)),
    "spatter": CorruptionEntry(_spatter, (0.05, 0.1, 0.15, 0.2, 0.3)),
    "pixelation": CorruptionEntry(_pixelation, (0.6, 0.45, 0.35, 0.25, 0.2)),
}
