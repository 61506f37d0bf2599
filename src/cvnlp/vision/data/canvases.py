"""Canvases: large images composed of small ones, and windows between these as a background class.

LeCun et al. 1998, section VII: a classifier of the windows of a canvas must recognise those without an object.
"""

import math
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cvnlp import files
from cvnlp.data import duplicates, prepared
from cvnlp.params.datasets import Canvases
from cvnlp.vision.data.image_set import ImageSet, Rows, Staging
from cvnlp.vision.data.saving import compute_digests

BACKGROUND = "background"
CANVAS_SPLITS = ("validation", "test")  # detection is tuned on canvases of the first, and scored on those of the second
COLUMNS = ("canvas", "top", "left", "height", "width", "class")
MARGIN = 1 / 7  # by which images may overlap, as a share of their sides: the black margin of MNIST's digits
CENTRED = 1 / 6  # a window contains an object if their centres are nearer than this share of the sides
KINDS = (0.1, 0.5, 0.4)  # shares of the background windows without an image, with parts of one, of several
WINDOWS = 8  # background windows from one canvas
ATTEMPTS = 20


Digest = tuple[int, int]


class Canvas(NamedTuple):
    """`pixels` uint8 (H, W, C); `corners` (n, 2): first row and column of each image."""

    pixels: np.ndarray
    corners: np.ndarray


@dataclass(frozen=True)
class Composer:
    """Places `number` images on canvases of `size` (height, width) whose background is `ground`, 0 or 255.

    ValueError if the size leaves no room for an image and a window next to it.
    """

    images: ImageSet
    size: tuple[int, int]
    number: int
    ground: int

    def __post_init__(self) -> None:
        sides = list(zip(self.size, self.window, strict=True))
        if any(side < least for side, least in sides) or all(side < 2 * least for side, least in sides):
            height, width = self.window
            raise ValueError(
                f"canvases.size: {list(self.size)} is too small for images of {height} x {width}: it must be at "
                "least as large in both directions, and twice as large in one"
            )

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of an image."""
        return self.images.shape[:2]

    def compose(self, generator: np.random.Generator, indices: np.ndarray) -> Canvas:
        """Place these images at random; where their margins overlap, the pixel farther from the ground is visible."""
        corners = self._draw_corners(generator)
        pixels = np.full((*self.size, self.images.shape[2]), self.ground, np.uint8)
        for image, corner in zip(self.images.rows(indices), corners, strict=True):
            window = self._window_at(pixels, corner)
            window[:] = np.minimum(window, image) if self.ground else np.maximum(window, image)
        return Canvas(pixels, corners)

    def background_windows(self, generator: np.random.Generator, canvas: Canvas) -> np.ndarray:
        """Draw `WINDOWS` windows of a canvas without an image in their centre, uint8 (n, H, W, C)."""
        visible = self._near(canvas.corners, 1 - MARGIN).sum(0)
        free = ~self._near(canvas.corners, CENTRED).any(0)
        if not free.any():
            raise self._no_room()
        of_kind = [np.flatnonzero(free & (np.minimum(visible, 2) == kind)) for kind in range(len(KINDS))]
        kinds = generator.choice(len(KINDS), WINDOWS, p=KINDS)
        drawn = [generator.choice(of_kind[kind] if len(of_kind[kind]) else np.flatnonzero(free)) for kind in kinds]
        return np.stack([self._window_at(canvas.pixels, np.unravel_index(place, free.shape)) for place in drawn])

    def _draw_corners(self, generator: np.random.Generator) -> np.ndarray:
        """(number, 2), each drawn from all positions that the previous ones leave free."""
        for _ in range(ATTEMPTS):
            free, corners = ~self._near(np.empty((0, 2), int), 0).any(0), np.empty((0, 2), int)
            while free.any() and len(corners) < self.number:
                corner = np.unravel_index(generator.choice(np.flatnonzero(free)), free.shape)
                corners = np.vstack([corners, corner])
                free &= ~self._near(corners[-1:], 1 - MARGIN)[0]
            if len(corners) == self.number:
                return corners
        raise self._no_room()

    def _window_at(self, pixels: np.ndarray, corner: Any) -> np.ndarray:
        return pixels[corner[0] : corner[0] + self.window[0], corner[1] : corner[1] + self.window[1]]

    def _near(self, corners: np.ndarray, share: float) -> np.ndarray:
        """The positions nearer to each corner than this share of the sides, bool (corners, rows, columns)."""
        near = [
            np.abs(np.arange(side - length + 1) - corners[:, [axis]]) < max(1, round(share * length))
            for axis, (side, length) in enumerate(zip(self.size, self.window, strict=True))
        ]
        return near[0][:, :, None] & near[1][:, None, :]

    def _no_room(self) -> ValueError:
        (height, width), (rows, columns) = self.window, self.size
        return ValueError(
            f"canvases.pictures: {self.number} images of {height} x {width} with space between them do not fit on "
            f"{rows} x {columns}; choose fewer, or a larger size"
        )


def needed_bytes(shape: tuple[int, int, int], total: int, canvases: Canvases) -> int:
    """Disk space besides `total` images of `shape`: background windows, twice while they are staged, and canvases."""
    windows = math.ceil(total * canvases.background / (1 - canvases.background)) + len(prepared.SPLITS)
    drawn = len(CANVAS_SPLITS) * canvases.count * math.prod(canvases.size) * shape[2]
    return 2 * windows * math.prod(shape) + drawn


def add_background(composer: Composer, staging: Staging, *, share: float, seed: int) -> ImageSet:
    """Append background windows as a last class, so that they make up a `share` of each split.

    The windows of a split are from canvases of its own images, and none equals an image or a window of another split.
    ValueError if a class has the name of the background.
    """
    images, splits = composer.images, {}
    if BACKGROUND in images.classes:
        raise ValueError(f"canvases: the data set already has a class {BACKGROUND}; rename it, or remove `canvases`")
    total, taken = len(images.labels), {(int(first), int(second)) for first, second in compute_digests(images)}
    for number, (split, indices) in enumerate(images.given.items()):
        count = max(1, round(len(indices) * share / (1 - share)))
        taken |= _stage_background(composer, indices, staging, count, np.random.default_rng((seed, number)), taken)
        splits[split] = np.concatenate([indices, np.arange(total, total + count)])
        total += count
    labels = np.concatenate([images.labels, np.full(total - len(images.labels), len(images.classes))])
    return ImageSet([*images.classes, BACKGROUND], labels, images.shape, _appended(images, staging), splits)


def _stage_background(
    composer: Composer,
    indices: np.ndarray,
    staging: Staging,
    count: int,
    generator: np.random.Generator,
    taken: Set[Digest],
) -> set[Digest]:
    """Stage `count` windows of canvases on which the images `indices` occur about equally often; returns their digests.

    Windows whose digest is `taken` are left out, and others are drawn instead. ValueError if nearly all are taken.
    """
    own: set[Digest] = set()
    for _ in range(ATTEMPTS):
        for chosen in _cycle(generator, indices, math.ceil(count / WINDOWS), composer.number):
            windows = composer.background_windows(generator, composer.compose(generator, chosen))
            drawn = [duplicates.digest(window.tobytes()) for window in windows]
            kept = [place for place, digest in enumerate(drawn) if digest not in taken][:count]
            staging.append(windows[kept])
            own |= {drawn[place] for place in kept}
            count -= len(kept)
        if not count:
            return own
    raise ValueError(
        "canvases: too few different windows without an image: those of different splits would be equal; choose a "
        "larger size, or a smaller background"
    )


def _cycle(generator: np.random.Generator, indices: np.ndarray, count: int, number: int) -> np.ndarray:
    """`number` images for each of `count` canvases, (count, number): none is repeated before all were used."""
    return np.resize(generator.permutation(indices), (count, number))


def _appended(images: ImageSet, staging: Staging) -> Rows:
    """The rows of the images, followed by the staged ones."""
    total = len(images.labels)

    def rows(indices: np.ndarray) -> np.ndarray:
        staged = indices >= total
        found = np.empty((len(indices), *images.shape), dtype=np.uint8)
        found[~staged], found[staged] = images.rows(indices[~staged]), staging.rows(indices[staged] - total)
        return found

    return rows


def save_canvases(composer: Composer, folder: Path, *, count: int, seed: int) -> None:
    """Write <split>_canvases.npy (count, H, W, C), of images of that split, and <split>_boxes.csv."""
    for number, split in enumerate(CANVAS_SPLITS, start=len(prepared.SPLITS)):
        _save_canvases_of(split, composer, folder, count, np.random.default_rng((seed, number)))


def _save_canvases_of(split: str, composer: Composer, folder: Path, count: int, generator: np.random.Generator) -> None:
    boxes: list[tuple[Any, ...]] = []
    images, shape = composer.images, (*composer.size, composer.images.shape[2])
    with prepared.open_array_writer(folder, f"{split}_canvases", np.uint8, shape) as append:
        for number, chosen in enumerate(_cycle(generator, images.given[split], count, composer.number)):
            canvas = composer.compose(generator, chosen)
            append(canvas.pixels[None])
            names = [images.classes[label] for label in images.labels[chosen]]
            boxes += [
                (number, *corner, *composer.window, name) for corner, name in zip(canvas.corners, names, strict=True)
            ]
    files.write_rows(folder / f"{split}_boxes.csv", COLUMNS, boxes)
