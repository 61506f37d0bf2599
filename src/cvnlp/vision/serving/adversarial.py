"""The smallest perturbation of a picture, by projected gradient descent, that changes its predicted class."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvnlp.report import plots
from cvnlp.report.labels import short_label
from cvnlp.vision.attacks.config import AttackConfig
from cvnlp.vision.attacks.gradient import pgd, targeted_pgd
from cvnlp.vision.batches import to_tensor
from cvnlp.vision.inference import predict_classes
from cvnlp.vision.serving.classifier import ImageClassifier, Prediction

STEPS = 40
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

    def attack(eps: float) -> Tensor | None:
        """An image of the wanted class, or of any other than before; None if there is none."""
        labels = torch.tensor([before.index if wanted is None else wanted], device=images.device)
        method, config = (pgd if wanted is None else targeted_pgd), AttackConfig(eps, STEPS)
        attacked = method(classifier.network, images, labels, config)
        reached = int(predict_classes(classifier.network, attacked)[0])
        return attacked if (reached != before.index if wanted is None else reached == wanted) else None

    found = _smallest(attack, max_eps)
    if found is None:
        return None
    eps, attacked = found
    image = attacked[0].permute(1, 2, 0).cpu().numpy()
    (after,) = classifier.predict(image[None])
    return Flip(eps, before, after, pixels.astype(np.float32) / 255, image)


def _smallest(attack: Callable[[float], Tensor | None], max_eps: float) -> tuple[float, Tensor] | None:
    """By bisection the smallest eps whose attack succeeds, and its result."""
    result, low, high = attack(max_eps), 0.0, max_eps
    for _ in range(HALVINGS if result is not None else 0):
        middle = (low + high) / 2
        attempt = attack(middle)
        if attempt is None:
            low = middle
        else:
            high, result = middle, attempt
    return None if result is None else (high, result)


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
    plots.draw_pictures([[picture for picture, _ in shown]], [titles], path, title=title, size=SIZE)
