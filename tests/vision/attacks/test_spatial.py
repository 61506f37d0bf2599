"""The spatial attack: its grid is that of the options, and the worst case that of an exhaustive search."""

import torch
from torch import Tensor

from cvnlp.params.attacks import Spatial
from cvnlp.vision.attacks.spatial import spatial_accuracy
from cvnlp.vision.inference import predict_classes
from cvnlp.vision.inference.spatial import rotation_shift_grid, transform
from cvnlp.vision.models.cnn import Cnn


def test_robust_images_are_classified_correctly_at_every_point(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    robust, table = spatial_accuracy(network, images, labels, Spatial(rotation=15, rotations=3, shift=0.5, shifts=3))
    points = rotation_shift_grid(rotation=15.0, rotations=3, shift=0.5, shifts=3)
    right = torch.stack([predict_classes(network, transform(images, **point)) == labels for point in points])
    assert torch.equal(robust, right.all(0))
    assert set(table["row"]) == set((right[0] & ~robust).nonzero()[:, 0].tolist())
    assert 0 < robust.sum() < right[0].sum()
    for row in table.itertuples():
        assert points[int((~right[:, row.row]).nonzero()[-1, 0])] == {
            "rotation": row.rotation,
            "right": row.right,
            "down": row.down,
        }


def test_images_that_are_misclassified_untransformed_are_not_robust(
    network: Cnn, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    robust, table = spatial_accuracy(
        network, images, (labels + 1) % 10, Spatial(rotation=10, rotations=2, shift=0, shifts=1)
    )
    assert not robust.any() and table.empty


def test_a_larger_grid_is_never_weaker(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    found = [
        spatial_accuracy(network, *pictures, Spatial(rotation=15, rotations=count, shift=0.5, shifts=count))[0]
        for count in (1, 3, 5)
    ]
    assert not (found[2] & ~found[1]).any()
    assert found[2].sum() < found[0].sum()
