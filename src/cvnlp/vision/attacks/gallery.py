"""Images for the report: some before and after the attack that broke them, and the loss around one of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.networks import device
from cvnlp.params.attacks import VisionAttack
from cvnlp.vision.attacks.evaluations import outputs_of
from cvnlp.vision.attacks.loss_surface import loss_surface
from cvnlp.vision.ball import Ball
from cvnlp.vision.batches import Batches, to_tensor

CLEAN, ATTACKED, TABLE, SURFACE = "example_clean", "example_attacked", "examples.csv", "loss_surface"


def save(
    network: nn.Module,
    folder: Path,
    pictures: np.ndarray,
    broken: np.ndarray,
    batches: Batches,
    options: VisionAttack,
    classes: Sequence[str],
) -> None:
    """Save evenly spaced images that are broken at the smallest eps that breaks enough of them.

    `pictures` (N, eps, H, W, C): attacked images; `broken` bool (N, eps): those misclassified only after an attack.
    Nothing is saved where no image is broken.
    """
    strengths, enough = sorted(options.eps), broken.sum(0) >= min(options.examples, max(1, int(broken.sum(0).max())))
    if not broken.any():
        return
    at = int(np.flatnonzero(enough)[0])
    rows = np.flatnonzero(broken[:, at])
    rows = rows[np.linspace(0, len(rows) - 1, min(options.examples, len(rows))).astype(int)]
    clean = to_tensor(batches.images[batches.order[rows]])
    attacked = torch.from_numpy(np.array(pictures[rows, at])).permute(0, 3, 1, 2)
    for name, images in ((CLEAN, clean), (ATTACKED, attacked)):
        prepared.save_array(folder, name, images.permute(0, 2, 3, 1).numpy())
    table = _predictions(network, clean, "before", classes).join(_predictions(network, attacked, "after", classes))
    sizes = Ball(options.norm, 0.0).sizes(clean, attacked).numpy()
    labels = np.array(classes)[np.asarray(batches.labels[batches.order[rows]])]
    files.write_table(folder / TABLE, table.assign(actual=labels, eps=strengths[at], norm=options.norm, size=sizes))
    label = torch.from_numpy(batches.labels[batches.order[rows[:1]]].astype(np.int64))
    surface = loss_surface(
        network,
        clean[:1].to(device()),
        attacked[:1].to(device()),
        label.to(device()),
        Ball(options.norm, strengths[at]),
    )
    prepared.save_array(folder, SURFACE, surface)


def _predictions(network: nn.Module, images: Tensor, when: str, classes: Sequence[str]) -> pd.DataFrame:
    """Columns `when` (name of the predicted class) and confidence_`when`."""
    confidence, predicted = outputs_of(network, images.to(device())).softmax(1).nan_to_num(0.0).max(1)
    names = np.array(classes)[predicted.cpu().numpy()]
    return pd.DataFrame({when: names, f"confidence_{when}": confidence.cpu().numpy()})
