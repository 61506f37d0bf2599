"""Canvases: large pictures made of small ones, and the windows between these, which are a class of their own.

LeCun et al. 1998, section VII: who reads a canvas window by window has to know which of them show no object.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.params.datasets import Canvases
from cvnlp.vision.data.pictures import Pictures, Rows, Staging

BACKGROUND = "background"
COLUMNS = ("canvas", "top", "left", "height", "width", "class")
MARGIN = 1 / 7  # pictures may overlap by this share of their sides: of MNIST's digits the black margin
CENTRED = 1 / 6  # a window shows an object whose middle is nearer to its own than this share of the sides
KINDS = (0.1, 0.5, 0.4)  # shares of the windows that show no object, a part of one, parts of several
WINDOWS = 8  # cut out of one canvas
ATTEMPTS = 20


class Canvas(NamedTuple):
    pixels: np.ndarray  # uint8 (H, W, C)
    places: np.ndarray  # (n, 2): first row and column of each picture


@dataclass(frozen=True)
class Composer:
    """Lays `number` of the pictures on canvases of `size`, whose `ground` is 0 or 255."""

    pictures: Pictures
    size: tuple[int, int]
    number: int
    ground: int

    def __post_init__(self) -> None:
        """ValueError if the size does not suffice for one picture and a window beside it."""
        sides = list(zip(self.size, self.window, strict=True))
        if any(side < least for side, least in sides) or all(side < 2 * least for side, least in sides):
            height, width = self.window
            raise ValueError(
                f"canvases.size: {list(self.size)} is too small for pictures of {height} x {width}: it must be at "
                "least as large in both directions, and twice as large in one"
            )

    @property
    def window(self) -> tuple[int, int]:
        return self.pictures.shape[:2]

    def compose(self, generator: np.random.Generator, indices: np.ndarray) -> Canvas:
        """These pictures at places drawn; where two margins meet, what stands out from the ground is seen."""
        places = self._scatter(generator)
        pixels = np.full((*self.size, self.pictures.shape[2]), self.ground, np.uint8)
        for picture, place in zip(self.pictures.rows(indices), places, strict=True):
            there = self._at(pixels, place)
            there[:] = np.minimum(there, picture) if self.ground else np.maximum(there, picture)
        return Canvas(pixels, places)

    def between(self, generator: np.random.Generator, canvas: Canvas) -> np.ndarray:
        """`WINDOWS` pieces of a canvas that show no picture in their middle, (n, H, W, C)."""
        in_sight = self._near(canvas.places, 1 - MARGIN).sum(0)
        free = ~self._near(canvas.places, CENTRED).any(0)
        if not free.any():
            raise self._no_room()
        of_kind = [np.flatnonzero(free & (np.minimum(in_sight, 2) == kind)) for kind in range(len(KINDS))]
        kinds = generator.choice(len(KINDS), WINDOWS, p=KINDS)
        drawn = [generator.choice(of_kind[kind] if len(of_kind[kind]) else np.flatnonzero(free)) for kind in kinds]
        return np.stack([self._at(canvas.pixels, np.unravel_index(place, free.shape)) for place in drawn])

    def _scatter(self, generator: np.random.Generator) -> np.ndarray:
        """(number, 2), each drawn from all the places that those before it leave."""
        for _ in range(ATTEMPTS):
            free, places = ~self._near(np.empty((0, 2), int), 0).any(0), np.empty((0, 2), int)
            while free.any() and len(places) < self.number:
                place = np.unravel_index(generator.choice(np.flatnonzero(free)), free.shape)
                places = np.vstack([places, place])
                free &= ~self._near(places[-1:], 1 - MARGIN)[0]
            if len(places) == self.number:
                return places
        raise self._no_room()

    def _at(self, pixels: np.ndarray, place: Any) -> np.ndarray:
        return pixels[place[0] : place[0] + self.window[0], place[1] : place[1] + self.window[1]]

    def _near(self, places: np.ndarray, share: float) -> np.ndarray:
        """Which windows are nearer to each place than this share of their sides, (places, rows, columns)."""
        near = [
            np.abs(np.arange(side - length + 1) - places[:, [axis]]) < max(1, round(share * length))
            for axis, (side, length) in enumerate(zip(self.size, self.window, strict=True))
        ]
        return near[0][:, :, None] & near[1][:, None, :]

    def _no_room(self) -> ValueError:
        (height, width), (rows, columns) = self.window, self.size
        return ValueError(
            f"canvases.pictures: {self.number} pictures of {height} x {width} with room between them do not find "
            f"place on {rows} x {columns}; take fewer, or a larger size"
        )


def needed(shape: tuple[int, int, int], total: int, canvases: Canvases) -> int:
    """Bytes on disk beside `total` pictures of `shape`: the windows, twice while they are made, and the canvases."""
    windows = math.ceil(total * canvases.background / (1 - canvases.background)) + len(prepared.SPLITS)
    return 2 * windows * math.prod(shape) + canvases.count * math.prod(canvases.size) * shape[2]


def add_background(composer: Composer, staging: Staging, *, share: float, seed: int) -> Pictures:
    """The pictures and, after them, windows between those of each split, which become a `share` of it.

    All that a window shows is of pictures of its own split. ValueError if there is a class of that name.
    """
    pictures, splits = composer.pictures, {}
    if BACKGROUND in pictures.classes:
        raise ValueError(f"canvases: the data has a class {BACKGROUND} of its own; rename it, or leave `canvases` out")
    total = len(pictures.labels)
    for number, (split, indices) in enumerate(pictures.given.items()):
        wanted = max(1, round(len(indices) * share / (1 - share)))
        _stage(composer, indices, staging, wanted, np.random.default_rng((seed, number)))
        splits[split] = np.concatenate([indices, np.arange(total, total + wanted)])
        total += wanted
    labels = np.concatenate([pictures.labels, np.full(total - len(pictures.labels), len(pictures.classes))])
    return Pictures([*pictures.classes, BACKGROUND], labels, pictures.shape, _both(pictures, staging), splits)


def _stage(
    composer: Composer, indices: np.ndarray, staging: Staging, wanted: int, generator: np.random.Generator
) -> None:
    """So many windows, between the pictures `indices`, all of which are used about equally often."""
    for chosen in _in_turn(generator, indices, math.ceil(wanted / WINDOWS), composer.number):
        windows = composer.between(generator, composer.compose(generator, chosen))
        staging.append(windows[:wanted])
        wanted -= WINDOWS


def _in_turn(generator: np.random.Generator, indices: np.ndarray, count: int, number: int) -> np.ndarray:
    """`number` pictures for each of `count` canvases, (count, number): none twice before all were taken."""
    return np.resize(generator.permutation(indices), (count, number))


def _both(pictures: Pictures, staging: Staging) -> Rows:
    """The rows of the pictures and of those staged, which are numbered after them."""
    total = len(pictures.labels)

    def rows(indices: np.ndarray) -> np.ndarray:
        made = indices >= total
        found = np.empty((len(indices), *pictures.shape), dtype=np.uint8)
        found[~made], found[made] = pictures.rows(indices[~made]), staging.rows(indices[made] - total)
        return found

    return rows


def save_canvases(composer: Composer, folder: Path, *, count: int, seed: int) -> None:
    """validation_canvases.npy (count, H, W, C) of that split's pictures; validation_boxes.csv: where each stands."""
    generator, pictures = np.random.default_rng((seed, len(prepared.SPLITS))), composer.pictures
    boxes: list[tuple[Any, ...]] = []
    with prepared.open_array_writer(
        folder, "validation_canvases", np.uint8, (*composer.size, pictures.shape[2])
    ) as append:
        for number, chosen in enumerate(_in_turn(generator, pictures.given["validation"], count, composer.number)):
            canvas = composer.compose(generator, chosen)
            append(canvas.pixels[None])
            names = [pictures.classes[label] for label in pictures.labels[chosen]]
            boxes += [
                (number, *place, *composer.window, name) for place, name in zip(canvas.places, names, strict=True)
            ]
    files.write_rows(folder / "validation_boxes.csv", COLUMNS, boxes)
