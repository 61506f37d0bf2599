"""Batches of pictures from the memory maps, their augmentation, and what each of them counts.

A batch: images float (B, C, H, W) in [0, 1], labels int64 (B,).
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.params.runs import Augment, Prune, VisionTrain

EVALUATION_BATCH = 512
FINISH = 0.125  # share of the epochs, the last ones, whose pruning draws from all pictures alike (Qin et al. 2024)


class Batches:
    """Whole batches in the given order; nothing is kept in memory but the batch at hand.

    `mirrored`, bool (N,), says which pictures have left and right turned; none, if it is not set.
    """

    mirrored: Tensor | None = None

    def __init__(self, folder: Path, split: str, order: np.ndarray | None, batch_size: int) -> None:
        self.images = prepared.load_array(folder, f"{split}_images")
        self.labels = prepared.load_array(folder, f"{split}_labels")
        self.order = np.arange(len(self.labels)) if order is None else order
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.order), self.batch_size):
            chosen = self.order[start : start + self.batch_size]
            # (N, H, W, C) seen as (N, C, H, W) is what torch calls channels_last: fast, and no copy
            images = torch.from_numpy(self.images[chosen]).permute(0, 3, 1, 2)
            if self.mirrored is not None:
                images = torch.where(self.mirrored[chosen].view(-1, 1, 1, 1), images.flip(3), images)
            yield images.float() / 255, torch.from_numpy(self.labels[chosen].astype(np.int64))


def augment(images: Tensor, options: Augment) -> Tensor:
    """Each picture of (B, C, H, W) changed on its own, in the order of the options, whose defaults change nothing.

    What flips in turn (`alternating`) is nothing that one batch knows of: `mirrored` says it to the Batches.
    Uses torch's global random numbers, and none for an option that is off, so that the others draw what they drew.
    """
    if options.shift or options.rotation or options.scale or options.shear:
        images = move(images, shift=options.shift, rotation=options.rotation, scale=options.scale, shear=options.shear)
    if options.crop:
        images = random_crop(images, pixels=options.crop, fill=options.crop_fill)
    if options.flip is True:
        images = torch.where(_uniform(images) < 0.5, images.flip(3), images)
    if options.brightness:
        images = (images * (1 + _draw(images, options.brightness))).clamp(0, 1)
    if options.contrast:
        images = torch.lerp(_mean(images), images, 1 + _draw(images, options.contrast)).clamp(0, 1)
    return erase(images, share=options.erasing, fill=options.erasing_fill) if options.erasing else images


def _uniform(images: Tensor) -> Tensor:
    """A number in [0, 1) for each picture, (B, 1, 1, 1)."""
    return torch.rand(len(images), device=images.device).view(-1, 1, 1, 1)


def _draw(images: Tensor, extent: float) -> Tensor:
    """A number in [-extent, extent) for each picture, (B, 1, 1, 1)."""
    return (_uniform(images) * 2 - 1) * extent


def _mean(images: Tensor) -> Tensor:
    return images.mean((1, 2, 3), keepdim=True)


def move(images: Tensor, *, shift: float, rotation: float, scale: float, shear: float) -> Tensor:
    """Each picture moved by up to `shift` pixels, turned and sheared sideways by degrees, scaled by 1 +- `scale`.

    All drawn uniformly; what comes in from outside is black.
    """
    count, _, height, width = images.shape

    def draw(extent: float) -> Tensor:
        return _draw(images, extent).view(count)

    angle, factor = draw(math.radians(rotation)), 1 + draw(scale)
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    # affine_grid measures in half sizes: a pixel is 2 / size; the ratio keeps a turn rigid on oblong pictures
    first = torch.stack([cos, -sin * height / width, draw(2 * shift / width)], dim=1)
    second = torch.stack([sin * width / height, cos, draw(2 * shift / height)], dim=1)
    if shear:
        slant = torch.tan(draw(math.radians(shear))) * height / width
        first = first + slant[:, None] * F.pad(second[:, :2], (0, 1))  # the place itself is not slanted
    with torch.autocast(images.device.type, enabled=False):  # rounded places would blur the pictures
        grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)


def random_crop(images: Tensor, *, pixels: int, fill: str) -> Tensor:
    """As many pixels as before, cut at a random place out of each picture padded by `pixels` at every side.

    Whole pixels need no interpolation: more than twice as fast as `move`. ValueError if there are not enough to
    reflect.
    """
    count, _, height, width = images.shape
    if fill == "reflect" and pixels >= min(height, width):
        raise ValueError(f"train.augment.crop: {pixels} pixels cannot be reflected by pictures of {height} x {width}")
    padded = F.pad(images, (pixels,) * 4, mode="reflect" if fill == "reflect" else "constant")
    # float32 rounds the largest product up to the whole number, hence the clamp
    top, left = ((_uniform(images) * (2 * pixels + 1)).long().clamp(max=2 * pixels).view(count) for _ in range(2))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # every place at once, as a view
    return windows[torch.arange(count, device=images.device), :, top, left]


def erase(images: Tensor, *, share: float, fill: str) -> Tensor:
    """In a `share` of the pictures a rectangle of 2 % to 33 % of the area, 0.3 to 3.3 times as high as wide, filled.

    The sizes of Zhong et al. 2020, section 3, cut to the picture.
    """
    height, width = images.shape[2:]
    chosen = _uniform(images) < share
    area = (0.02 + _uniform(images) * 0.31) * height * width
    aspect = torch.exp(_draw(images, math.log(3.3)))
    rows = _span((area * aspect).sqrt(), _uniform(images), height).view(-1, 1, height, 1)
    columns = _span((area / aspect).sqrt(), _uniform(images), width).view(-1, 1, 1, width)
    filling = _mean(images) if fill == "mean" else torch.zeros((), device=images.device)
    return torch.where(chosen & rows & columns, filling, images)


def _span(length: Tensor, place: Tensor, size: int) -> Tensor:
    """Which of `size` pixels lie in a stretch of `length` at `place` (0 to 1, from the first to the last that fits)."""
    length = length.round().clamp(1, size)
    start = (place * (size - length + 1)).floor().minimum(size - length)
    pixel = torch.arange(size, device=length.device)
    return (pixel >= start) & (pixel < start + length)


def mirrored(count: int, *, seed: int, epoch: int) -> Tensor:
    """Which of `count` pictures an epoch turns, bool (count,): at first a random half, then always the other half.

    Alternating flips of Jordan 2024 (arXiv 2404.00498, section 3.6): drawn anew, a picture is as often as not seen from
    the same side twice.
    """
    first = np.random.default_rng((seed, 2)).random(count) < 0.5
    return torch.from_numpy(first ^ bool(epoch % 2))


def class_weights(folder: Path) -> Tensor:
    """The inverse frequency of each class among the training labels, 1 on average of them; 0 for one without any."""
    labels = np.asarray(prepared.load_array(folder, "train_labels"))
    counts = np.bincount(labels, minlength=len(prepared.read_facts(folder, prepared.VisionFacts).classes))
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)) * (counts > 0)
    return torch.from_numpy(weights).float()


def prune(losses: np.ndarray, options: Prune, *, epoch: int, epochs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures an epoch reads, bool (N,), and how much each counts, (N,): together as much as all N.

    Dynamic data pruning: InfoBatch of Qin et al. 2024, where easy is what costs less than the mean; here it is a fixed
    share, so that all epochs are equally long and a schedule knows its end.

    `losses` (N,) are those when each picture was last read, infinite before. Of the share `easy` with the smallest, the
    share `skip` is left out, drawn anew every time, and the others of them count for these. In the first epoch, when
    nothing is known, and in the last ones as many are left out of all.
    """
    count = len(losses)
    left_out = round(count * options.easy * options.skip)
    known = 0 < epoch < round((1 - FINISH) * epochs)
    candidates = np.argsort(losses, kind="stable")[: round(count * options.easy)] if known else np.arange(count)
    read, weights = np.ones(count, dtype=bool), np.ones(count, dtype=np.float32)
    read[np.random.default_rng((seed, epoch, 1)).permutation(candidates)[:left_out]] = False
    weights[candidates] = len(candidates) / max(1, len(candidates) - left_out)
    return read, weights


def train_batches(folder: Path, options: VisionTrain, *, seed: int, epoch: int) -> Batches:
    """The training pictures in an order that `seed` and `epoch` decide."""
    count = len(prepared.load_array(folder, "train_labels"))
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return Batches(folder, "train", order, options.batch_size)


def validation_batches(folder: Path, options: VisionTrain) -> Batches:
    """The validation split, in stored order; the options of the training do not change it."""
    return split_batches(folder, "validation")


def split_batches(folder: Path, split: str) -> Batches:
    """All pictures of a split in the order they are stored; the batch size does not change a result."""
    return Batches(folder, split, None, EVALUATION_BATCH)
