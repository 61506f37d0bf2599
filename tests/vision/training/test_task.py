"""The task of a classifier: its loss, weights of images in it, and the images of an epoch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.params.runs import Augment, Prune, VisionTrain
from cvnlp.training import trainer
from cvnlp.training.callbacks import EpochLogger
from cvnlp.vision.batches import ImageBatch
from cvnlp.vision.training import Task
from cvnlp.vision.training.augmentation import alternating_flips
from make_networks import classifier
from make_trainings import ignore

PRUNE = Prune(easy=0.75, skip=0.6)
CLASS_WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


def make_task(network: nn.Module | None = None, folder: Path = Path(), **options: Any) -> Task:
    torch.manual_seed(1)
    network = network or nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    return Task(network, VisionTrain(**{"epochs": 1} | options), folder=folder, seed=1)


def make_batch(rows: list[int]) -> ImageBatch:
    images = torch.rand(len(rows), 1, 2, 2, generator=torch.Generator().manual_seed(2))
    return ImageBatch(images, torch.arange(len(rows)) % 3, torch.tensor(rows))


# The loss


@pytest.mark.parametrize("weights", [None, CLASS_WEIGHTS])
def test_the_loss_is_that_of_torch(weights: Tensor | None) -> None:
    task, batch = make_task(label_smoothing=0.1), make_batch([0, 1, 2, 3, 4, 5])
    task.class_weights = weights
    expected = nn.CrossEntropyLoss(weight=weights, label_smoothing=0.1)(task.network(batch.images), batch.labels)
    assert torch.allclose(task.training_step(batch), expected)


@pytest.mark.parametrize("weights", [None, CLASS_WEIGHTS])
def test_with_equal_sample_weights_the_pruned_loss_is_the_plain_one(weights: Tensor | None) -> None:
    task, plain = (make_task(label_smoothing=0.1, prune=prune) for prune in (PRUNE, None))
    task.losses, task.sample_weights = torch.full((9,), torch.inf), torch.full((9,), 2.5)
    task.class_weights = plain.class_weights = weights
    assert torch.allclose(task.training_step(make_batch([3, 7, 1])), plain.training_step(make_batch([3, 7, 1])))


def test_losses_are_recorded_by_row() -> None:
    task, batch = make_task(prune=PRUNE), make_batch([3, 7, 1])
    task.losses, task.sample_weights = torch.full((9,), torch.inf), torch.ones(9)
    task.training_step(batch)
    expected = nn.functional.cross_entropy(task.network(batch.images), batch.labels, reduction="none")
    assert torch.allclose(task.losses[batch.rows], expected)
    assert torch.isfinite(task.losses).nonzero()[:, 0].tolist() == [1, 3, 7]


def test_an_image_of_twice_the_weight_counts_as_two() -> None:
    task, batch = make_task(prune=PRUNE), make_batch([0, 1, 2])
    task.losses, task.sample_weights = torch.zeros(3), torch.tensor([1.0, 2.0, 1.0])
    twice = torch.tensor([0, 1, 1, 2])
    expected = nn.functional.cross_entropy(task.network(batch.images[twice]), batch.labels[twice])
    assert torch.allclose(task.training_step(batch), expected)


def test_balanced_class_weights_remove_the_preference_for_the_frequent_class(unbalanced: Path, tmp_path: Path) -> None:
    def rare(class_weights: str) -> float:
        """Probability of the rare class, for an image that is the same in all classes."""
        torch.manual_seed(1)
        network = classifier("mlp", (4, 4, 1), 3, mean=0.1, std=0.2, hidden=[4])
        task = make_task(network, unbalanced, epochs=60, batch_size=64, lr=0.01, class_weights=class_weights)
        trainer.fit(task, run="mine", resume=tmp_path / class_weights, logger=EpochLogger(ignore))
        return network.eval()(torch.zeros(1, 1, 4, 4)).softmax(1)[0, 1].item()

    assert rare("none") < 0.2
    assert rare("balanced") == pytest.approx(0.5, abs=0.1)


# The images of an epoch


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """Seven oblong images with three channels."""
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 4, 3), dtype=np.uint8)
    prepared.save_array(tmp_path, "train_images", images)
    prepared.save_array(tmp_path, "train_labels", np.arange(7, dtype=np.uint8))
    return tmp_path


def read_epoch(folder: Path, flip: bool | str, epoch: int) -> tuple[Tensor, Tensor]:
    """Augmented images and labels of an epoch, in stored order."""
    task = make_task(nn.Flatten(), folder, epochs=4, batch_size=3, augment=Augment(flip=flip))
    images, labels, rows = zip(*((task.inputs(batch), *batch[1:]) for batch in task.train_batches(epoch)), strict=True)
    order = torch.cat(rows).argsort()
    return torch.cat(images)[order], torch.cat(labels)[order]


def test_alternating_flips_flip_each_image_in_every_other_epoch(coloured: Path) -> None:
    plain, _ = read_epoch(coloured, False, 0)
    flipped = []
    for epoch in range(4):
        images, labels = read_epoch(coloured, "alternating", epoch)
        flipped.append([torch.equal(one, two.flip(2)) for one, two in zip(images, plain, strict=True)])
        assert all(torch.equal(one, two) != flip for one, two, flip in zip(images, plain, flipped[-1], strict=True))
        assert labels.tolist() == list(range(7))
    assert flipped[1] == [not flip for flip in flipped[0]]
    assert flipped[2:] == flipped[:2]


def test_alternating_flips_begin_with_a_random_half() -> None:
    first, other = alternating_flips(1000, seed=1, epoch=0), alternating_flips(1000, seed=2, epoch=0)
    assert 400 < first.sum() < 600
    assert 400 < (first == other).sum() < 600
    assert (first == alternating_flips(1000, seed=1, epoch=2)).all()


def test_pruning_does_not_change_the_flips_of_other_images(vision_data: Path) -> None:
    task = make_task(
        nn.Flatten(), vision_data, epochs=4, batch_size=50, augment=Augment(flip="alternating"), prune=Prune()
    )
    task.setup("fit")
    task.losses.copy_(torch.arange(300.0))
    images, _, rows = zip(*task.train_batches(1), strict=True)
    order = torch.cat(rows).numpy()
    stored = prepared.load_array(vision_data, "train_images")[order]
    pixels = torch.from_numpy(stored).permute(0, 3, 1, 2).float() / 255
    flipped = torch.from_numpy(alternating_flips(300, seed=1, epoch=1)[order]).view(-1, 1, 1, 1)
    assert len(order) < 300
    assert torch.equal(torch.cat(images), torch.where(flipped, pixels.flip(3), pixels))
