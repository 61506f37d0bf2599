"""The spatial attack: the worst rotation and shift of every image (Engstrom et al. 2019)."""

import pandas as pd
from torch import Tensor, nn

from cvnlp.params.attacks import Spatial
from cvnlp.vision.inference.predict import device_of
from cvnlp.vision.inference.spatial import first_failures, rotation_shift_grid


def spatial_accuracy(
    network: nn.Module, images: Tensor, labels: Tensor, options: Spatial
) -> tuple[Tensor, pd.DataFrame]:
    """Which images are classified correctly at every point of the grid, bool (N,), and where the others first fail.

    The largest transformations come first, because they break most images: this takes a third of the time. A grid with
    an even number of angles or shifts lacks the image itself, which is tested all the same. Columns of the table: row,
    rotation in degrees, right and down in pixels, predicted (class number); images that are misclassified untransformed
    are not listed.
    """
    points = rotation_shift_grid(
        rotation=options.rotation, rotations=options.rotations, shift=options.shift, shifts=options.shifts
    )
    place = device_of(network)
    robust, table = first_failures(network, images.to(place), labels.to(place), points[::-1])
    return robust.cpu(), table
