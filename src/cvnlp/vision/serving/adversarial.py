"""The smallest perturbation of a picture, by projected gradient descent, that changes its predicted class."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import PgdOptions
from cvnlp.report import picture_grid
from cvnlp.report.labels import short_label
from cvnlp.vision.attacks.gradient import pgd, targeted_pgd
from cvnlp.vision.attacks.smallest import smallest_eps
from cvnlp.vision.batches import to_tensor
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.serving.classifier import ImageClassifier, Prediction

OPTIONS = PgdOptions(steps=40)
HALVINGS = 7  # of the interval in which the smallest eps is searched
SIZE = 1.9  # inches of each picture


@dataclass(frozen=True)
class Flip:
    """`eps`: the largest change of a pixel, of the full range 1; images uint8 or float (H, W, C) in [0, 1]."""

    eps: float
    before: Prediction
    after: Prediction
    clean: np.ndarray
    attacked: np.ndarray


def find_flip(
    classifier: ImageClassifier, pixels: np.ndarray, *, target: str | None = None, max_eps: float = 1.0
) -> Flip | None:
    """The smallest perturbation found of an image uint8 (H, W, C) that changes its class, to `target` if it is given.

    None if `max_eps` is not enough. ValueError for a target that is no class, or is already predicted.
    """
    images = to_tensor(pixels[None]).to(classifier.device)
    (before,) = classifier.predict(pixels[None])
    wanted = None if target is None else _class_index(classifier, target, before)

    classes = torch.tensor([before.index if wanted is None else wanted], device=images.device)
    method = pgd if wanted is None else targeted_pgd

    def attack(network: nn.Module, images: Tensor, classes: Tensor, ball: Ball) -> Tensor:
        return method(network, images, classes, ball, OPTIONS, generator=torch.Generator().manual_seed(1))

    largest = attack(classifier.network, images, classes, Ball("linf", max_eps))
    eps, attacked = smallest_eps(
        *(classifier.network, images, classes, largest, attack),
        norm="linf",
        halvings=HALVINGS,
        targeted=wanted is not None,
    )
    if not eps.isfinite():
        return None
    image = attacked[0].permute(1, 2, 0).cpu().numpy()
    (after,) = classifier.predict(image[None])
    return Flip(float(eps), before, after, pixels.astype(np.float32) / 255, image)


def _class_index(classifier: ImageClassifier, target: str, before: Prediction) -> int:
    if target not in classifier.classes:
        raise ValueError(f"{target!r} is not a class; valid choices: {', '.join(classifier.classes)}")
    if target == before.label:
        raise ValueError(f"the picture is already classified as {target!r}")
    return classifier.classes.index(target)


def save_flip(flip: Flip, path: Path) -> None:
    """Draw the image, the perturbation (grey is zero, full range is eps) and the perturbed image."""
    shown = [
        (flip.clean, flip.before),
        ((flip.attacked - flip.clean) / (2 * flip.eps) + 0.5, None),
        (flip.attacked, flip.after),
    ]
    titles = [f"{short_label(one.label)} ({one.probability:.0%})" if one else "perturbation" for _, one in shown]
    title = f"Smallest perturbation found by PGD: eps {flip.eps:.3g}"
    picture_grid.draw_pictures([[picture for picture, _ in shown]], [titles], path, title=title, size=SIZE)
