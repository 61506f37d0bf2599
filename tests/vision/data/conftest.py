"""Small folders of images as a user would have them, and their preparation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvnlp.data.prepared import VisionFacts
from cvnlp.params.datasets import OwnPictures
from cvnlp.vision import data

OPTIONS = {
    "domain": "vision",
    "path": "unused",
    "seed": 1,
    "validation": 0.25,
    "test": 0.25,
    "duplicates": "keep",
    "size": [6, 5],
    "fit": "stretch",
    "colour": "rgb",
    "background": "black",
    "max_skipped": 0.0,
}


def noise(number: int, shape: tuple[int, ...] = (6, 5, 3)) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def make_folder(root: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 8, first: int = 0) -> Path:
    """PNG of noise, all different, `count` for each class."""
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(noise(first + place * count + number)).save(root / name / f"{number:02d}.png")
    return root


def prepare(root: Path, folder: Path, **options: Any) -> VisionFacts:
    return data.prepare(root, folder, OwnPictures(**OPTIONS | options))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(name="noise")
def noise_fixture() -> Callable[..., np.ndarray]:
    return noise


@pytest.fixture(name="make_folder")
def make_folder_fixture() -> Callable[..., Path]:
    return make_folder


@pytest.fixture(name="prepare")
def prepare_fixture() -> Callable[..., VisionFacts]:
    return prepare


@pytest.fixture(name="contents")
def contents_fixture() -> Callable[[Path], dict[str, bytes]]:
    return contents
