"""Hand-written rules for digits: what a person can state about them without machine learning."""

import itertools

import torch
from torch import Tensor

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import RulesOptions
from cvnlp.vision.models.classifier import Classifier

# digit -> (measurement, above or below, threshold), chosen by hand from training digits
RULES: dict[int, list[tuple[str, str, float]]] = {
    0: [("centre", "below", 0.08), ("left", "above", 0.07), ("right", "above", 0.07), ("bottom left", "above", 0.09)],
    1: [("width", "below", 0.115), ("centre", "above", 0.23), ("left", "below", 0.02)],
    2: [
        ("bottom right", "above", 0.07),
        ("left", "below", 0.08),
        ("bottom left", "above", 0.11),
        ("centre", "below", 0.17),
    ],
    3: [
        ("left", "below", 0.06),
        ("bottom right", "above", 0.07),
        ("height", "above", 0.205),
        ("centre", "above", 0.11),
    ],
    4: [("top", "below", 0.11), ("bottom left", "below", 0.06), ("left", "above", 0.11), ("height", "below", 0.18)],
    5: [
        ("right", "below", 0.09),
        ("top right", "above", 0.09),
        ("left", "above", 0.045),
        ("bottom right", "above", 0.05),
    ],
    6: [("top right", "below", 0.07), ("bottom", "above", 0.17), ("left", "above", 0.06), ("right", "above", 0.08)],
    7: [
        ("bottom left", "below", 0.05),
        ("bottom right", "below", 0.05),
        ("left", "below", 0.09),
        ("top left", "above", 0.06),
    ],
    8: [("centre", "above", 0.16), ("left", "below", 0.07), ("right", "below", 0.10), ("width", "above", 0.11)],
    9: [("bottom left", "below", 0.05), ("left", "above", 0.08), ("top", "above", 0.11), ("right", "above", 0.09)],
}
GRID = (("top left", "top", "top right"), ("left", "centre", "right"), ("bottom left", "bottom", "bottom right"))


class Rules(Classifier):
    """Rules on pixel statistics, without parameters: a baseline, and the course's counterexample.

    The score of a digit is the fraction of its RULES that hold. A sigmoid softens each rule, so that the score has a
    gradient and can be attacked like that of any other classifier.
    """

    def __init__(self, images: ImageFormat, options: RulesOptions) -> None:
        super().__init__(images)
        if images.classes != len(RULES):
            raise ValueError(f"model.name: 'rules' are for the {len(RULES)} digits, not for {images.classes} classes")
        self.softness, self.sharpness = max(options.softness, 1e-6), options.sharpness

    def forward(self, images: Tensor) -> Tensor:
        measured = measure(images)
        scores = [torch.stack([self._holds(measured, *rule) for rule in RULES[digit]]).mean(0) for digit in RULES]
        return self.sharpness * torch.stack(scores, dim=1)

    def _holds(self, measured: dict[str, Tensor], what: str, side: str, threshold: float) -> Tensor:
        distance = (measured[what] - threshold) / self.softness
        return torch.sigmoid(distance if side == "above" else -distance)


def measure(images: Tensor) -> dict[str, Tensor]:
    """Fractions of the ink in a 3 x 3 grid over the inner five sevenths of the image, and its width and height.

    Width and height are standard deviations, relative to the size of the image.
    """
    ink = images.mean(1)
    ink = ink / ink.sum((1, 2), keepdim=True).clamp(min=1e-6)
    measured = {"width": _spread(ink.sum(1)), "height": _spread(ink.sum(2))}
    for names, rows in zip(GRID, _thirds(ink.shape[1]), strict=True):
        for name, columns in zip(names, _thirds(ink.shape[2]), strict=True):
            measured[name] = ink[:, rows, columns].sum((1, 2))
    return measured


def _thirds(size: int) -> list[slice]:
    edges = [round(size * (1 / 7 + third * 5 / 21)) for third in range(4)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def _spread(profile: Tensor) -> Tensor:
    """Standard deviation of the position of the ink, (B, size) -> (B,), relative to the size."""
    place = torch.arange(profile.shape[1], device=profile.device) / profile.shape[1]
    centre = (profile * place).sum(1, keepdim=True)
    return ((profile * (place - centre) ** 2).sum(1) + 1e-12).sqrt()
