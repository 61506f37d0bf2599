"""Images for the report: some before and after an attack, at one eps and at all, and the loss around one of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.launch.devices import device
from cvnlp.vision.attacks.collected import Collected, Subject
from cvnlp.vision.attacks.evaluations import outputs_of
from cvnlp.vision.attacks.loss_surface import loss_surface, surface_axis
from cvnlp.vision.batches import evenly_spaced, to_tensor
from cvnlp.vision.models.ball import Ball

SURROUNDINGS = 2.0  # the loss is shown up to so many times eps
CLEAN, ATTACKED, TABLE, SURFACE = "example_clean", "example_attacked", "examples.csv", "loss_surface"
SERIES = "series.csv"


def save(subject: Subject, found: Collected, classes: Sequence[str]) -> None:
    """Save evenly spaced images that are broken at the smallest eps at which there are enough of them.

    Of evenly spaced images that are classified correctly, the predictions at every eps are saved. Nothing else is
    where no attack has broken an image.
    """
    files.write_table(subject.folder / SERIES, _series(subject, found, classes))
    broken = np.stack([found.clean & ~found.worst[eps] for eps in subject.strengths])  # (eps, N)
    counts, wanted = broken.sum(1), subject.options.examples
    if not counts.any():
        return
    at = int(np.flatnonzero(counts >= min(wanted, counts.max()))[0])
    rows = np.flatnonzero(broken[at])
    rows = rows[evenly_spaced(len(rows), wanted)]
    clean = to_tensor(subject.batches.images[subject.batches.order[rows]])
    attacked = torch.from_numpy(np.array(subject.pictures()[rows, at])).permute(0, 3, 1, 2)
    labels = torch.from_numpy(subject.labels[rows])
    ball = Ball(subject.options.norm, subject.strengths[at])
    table = _table(subject, clean, attacked, ball, classes)
    files.write_table(subject.folder / TABLE, table.assign(actual=np.array(classes)[labels]))
    first = (clean[:1].to(device()), attacked[:1].to(device()), labels[:1].to(device()))
    around = Ball(ball.norm, SURROUNDINGS * float(ball.eps))
    arrays = {CLEAN: _rows(clean), ATTACKED: _rows(attacked), SURFACE: loss_surface(subject.network, *first, around)}
    for name, array in (arrays | {f"{SURFACE}_axis": surface_axis(around)}).items():
        prepared.save_array(subject.folder, name, array)


def _series(subject: Subject, found: Collected, classes: Sequence[str]) -> pd.DataFrame:
    """A row for each image and eps, from 0: the image's place in the attacked pictures, and what it is predicted as."""
    correct = np.flatnonzero(found.clean)
    places = correct[evenly_spaced(len(correct), subject.options.examples)]
    actual = np.array(classes)[subject.labels[places]]
    clean = to_tensor(subject.batches.images[subject.batches.order[places]])
    attacked = torch.from_numpy(np.array(subject.pictures()[places])).permute(1, 0, 4, 2, 3)
    tables = [
        _predictions(subject.network, images, "predicted", classes).assign(eps=eps, place=places, actual=actual)
        for eps, images in zip([0.0, *subject.strengths], [clean, *attacked], strict=True)
    ]
    return pd.concat(tables).rename(columns={"confidence_predicted": "confidence"})


def _rows(images: Tensor) -> np.ndarray:
    array: np.ndarray = images.permute(0, 2, 3, 1).numpy()
    return array


def _table(subject: Subject, clean: Tensor, attacked: Tensor, ball: Ball, classes: Sequence[str]) -> pd.DataFrame:
    """Predictions before and after, eps, and the size of each perturbation in the norm."""
    before = _predictions(subject.network, clean, "before", classes)
    after = _predictions(subject.network, attacked, "after", classes)
    return before.join(after).assign(eps=float(ball.eps), norm=ball.norm, size=ball.sizes(clean, attacked).numpy())


def _predictions(network: nn.Module, images: Tensor, when: str, classes: Sequence[str]) -> pd.DataFrame:
    """Columns `when` (name of the predicted class) and confidence_`when`."""
    confidence, predicted = outputs_of(network, images.to(device())).softmax(1).nan_to_num(0.0).max(1)
    names = np.array(classes)[predicted.cpu().numpy()]
    return pd.DataFrame({when: names, f"confidence_{when}": confidence.cpu().numpy()})
