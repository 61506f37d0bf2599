"""The rule of the course, 'mostly blue is sky, mostly green is plants', on patches of two real photographs.

The photographs are part of scikit-learn (sklearn/datasets/images, CC BY 2.0). The true classes of the patches were
chosen by eye.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cvnlp.report import galleries
from cvnlp.report.elements import Pictures

SIDE = 32  # pixels, of a patch
MOSTLY = 0.5  # share of the pixels of which a colour is the strongest
PATCHES: dict[str, dict[str, tuple[tuple[int, int], ...]]] = {  # photograph -> class -> left and top of each patch
    "china.jpg": {
        "sky": ((10, 10), (70, 40), (380, 20), (480, 60), (590, 10), (420, 120), (340, 150), (500, 170)),
        "plants": ((5, 170), (110, 365), (30, 390), (400, 370), (590, 220), (585, 330), (450, 390), (10, 330)),
        "water": ((400, 270), (490, 250), (365, 295), (455, 275)),
        "building": ((190, 90), (150, 260), (260, 225), (160, 345)),
    },
    "flower.jpg": {
        "plants": ((20, 120), (60, 180), (500, 120), (10, 250)),
        "flower": ((300, 200), (230, 150), (340, 270), (360, 170)),
    },
}
RULED = ("sky", "plants")  # the classes that the rule has


class Patch(NamedTuple):
    """`pixels` uint8 (SIDE, SIDE, 3)."""

    pixels: np.ndarray
    actual: str
    predicted: str

    @property
    def correct(self) -> bool:
        """The rule answers neither where it has no class."""
        return self.predicted == (self.actual if self.actual in RULED else "neither")


def classify(pixels: np.ndarray) -> str:
    """The class of an RGB patch (H, W, 3): the colour that is the strongest in more than half of the pixels."""
    shares = np.bincount(pixels.astype(int).argmax(-1).ravel(), minlength=3) / pixels[..., 0].size
    return "sky" if shares[2] > MOSTLY else "plants" if shares[1] > MOSTLY else "neither"


def patches() -> list[Patch]:
    """All patches, by class, with the answer of the rule."""
    photographs = {name: np.asarray(Image.open(_folder() / name).convert("RGB")) for name in PATCHES}
    cut = [
        (actual, photographs[name][top : top + SIDE, left : left + SIDE])
        for name, classes in PATCHES.items()
        for actual, places in classes.items()
        for left, top in places
    ]
    return [Patch(pixels, actual, classify(pixels)) for actual, pixels in cut]


def pictures(found: list[Patch]) -> Pictures:
    """A row for each class."""
    caption = (
        "Patches of two photographs (china.jpg and flower.jpg of scikit-learn, CC BY 2.0), a row for each true class, "
        "with the answer of the rule: sky if blue is the strongest colour of more than half of the pixels, plants if "
        "green is, else neither. Wrong answers are marked ✗."
    )
    lines = []
    for actual in dict.fromkeys(patch.actual for patch in found):
        row = [patch for patch in found if patch.actual == actual]
        titles = [patch.predicted if patch.correct else f"✗ {patch.predicted}" for patch in row]
        lines.append((actual, [patch.pixels for patch in row], titles))
    return galleries.undrawn("Mostly blue is sky, mostly green is plants", lines, caption=caption)


def _folder() -> Path:
    """Found without importing scikit-learn, which takes a second."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ImportError("scikit-learn, which has the photographs, is not installed: run `make setup`")
    return Path(spec.origin).parent / "datasets/images"
