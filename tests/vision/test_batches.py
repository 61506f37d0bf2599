"""Batches of pictures: every picture once an epoch, in an order that seed and epoch alone decide."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cvnlp import domains
from cvnlp.data import prepared
from cvnlp.params.runs import VisionTrain
from cvnlp.vision import batches as vision_batches
from cvnlp.vision.batches import Batches, mirrored, split_batches, train_batches


def read(batches: Batches) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def stored(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    return prepared.load_array(folder, f"{split}_images"), prepared.load_array(folder, f"{split}_labels")


@pytest.fixture
def coloured_data(tmp_path: Path) -> Path:
    """Seven oblong pictures in three channels."""
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 4, 3), dtype=np.uint8)
    prepared.save_array(tmp_path, "train_images", images)
    prepared.save_array(tmp_path, "train_labels", np.arange(7, dtype=np.uint8))
    return tmp_path


def test_pictures_are_numbers_from_0_to_1_with_channels_first(vision_data: Path) -> None:
    images, labels = next(iter(train_batches(vision_data, {"batch_size": 32}, seed=1, epoch=0)))
    assert images.shape == (32, 1, 12, 12) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() == 1
    assert labels.shape == (32,) and labels.dtype == torch.int64


def test_a_batch_holds_the_stored_pixels(coloured_data: Path) -> None:
    batches = train_batches(coloured_data, {"batch_size": 3}, seed=1, epoch=0)
    images, labels = read(batches)
    pictures, _ = stored(coloured_data, "train")
    expected = pictures[labels.numpy()].astype(np.float32).transpose(0, 3, 1, 2) / 255
    assert images.numpy() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("batch_size", [1, 64, 100, 300, 1000])
def test_an_epoch_holds_every_picture_once(vision_data: Path, batch_size: int) -> None:
    batches = train_batches(vision_data, {"batch_size": batch_size}, seed=1, epoch=4)
    images, _ = read(batches)
    pictures, _ = stored(vision_data, "train")
    seen = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert sorted(picture.tobytes() for picture in seen) == sorted(picture.tobytes() for picture in pictures)


def test_every_picture_keeps_its_label(vision_data: Path) -> None:
    images, labels = read(train_batches(vision_data, {"batch_size": 64}, seed=1, epoch=0))
    brightest_row = images[:, 0].sum(2).argmax(1)  # the made pictures show their class as the row of a bright bar
    assert torch.equal(brightest_row, labels)


@pytest.mark.parametrize("batch_size", [1, 64, 100, 300, 1000])
def test_the_last_batch_may_be_smaller(vision_data: Path, batch_size: int) -> None:
    batches = train_batches(vision_data, {"batch_size": batch_size}, seed=1, epoch=0)
    sizes = [len(labels) for _, labels in batches]
    assert len(sizes) == len(batches)
    assert sum(sizes) == 300
    assert set(sizes[:-1]) <= {batch_size} and 0 < sizes[-1] <= batch_size


def test_seed_and_epoch_alone_decide_the_order(vision_data: Path) -> None:
    def order(seed: int, epoch: int, batch_size: int = 64) -> torch.Tensor:
        return read(train_batches(vision_data, {"batch_size": batch_size}, seed=seed, epoch=epoch))[0]

    first = order(1, 0)
    torch.manual_seed(99)
    assert torch.equal(first, order(1, 0))
    assert torch.equal(first, order(1, 0, batch_size=7))
    assert not torch.equal(first, order(1, 1))
    assert not torch.equal(first, order(2, 0))
    assert not torch.equal(order(1, 2), order(2, 1))


def test_reading_twice_gives_the_same_batches(vision_data: Path) -> None:
    batches = train_batches(vision_data, {"batch_size": 64}, seed=1, epoch=0)
    assert torch.equal(read(batches)[0], read(batches)[0])


def test_the_memory_of_a_batch_is_channels_last(coloured_data: Path) -> None:
    images, _ = next(iter(train_batches(coloured_data, {"batch_size": 5}, seed=1, epoch=0)))
    assert images.shape == (5, 3, 6, 4)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert not images.is_contiguous()


@pytest.mark.parametrize("split", prepared.SPLITS)
def test_a_split_is_read_in_the_order_it_is_stored(vision_data: Path, split: str) -> None:
    images, labels = read(split_batches(vision_data, split, {"batch_size": 3}))
    pictures, names = stored(vision_data, split)
    assert (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy().tobytes() == pictures.tobytes()
    assert labels.tolist() == names.tolist()


def test_a_damaged_array_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"test_images\.npy"):
        split_batches(tmp_path, "test", {})


def epoch_of(folder: Path, flip: bool | str, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures and labels as a task has them read, in the order they are stored."""
    task = domains.DOMAINS["vision"].training.Task(
        torch.nn.Flatten(), VisionTrain(epochs=4, batch_size=3, augment={"flip": flip}).model_dump()
    )
    batches = task.train_batches(vision_batches, folder, seed=1, epoch=epoch)
    images, labels = zip(*((task.inputs(batch), batch[1]) for batch in batches), strict=True)
    order = np.argsort(batches.order)
    return torch.cat(images)[order], torch.cat(labels)[order]


def test_alternating_flips_show_every_picture_from_the_other_side_in_the_next_epoch(coloured_data: Path) -> None:
    plain, _ = epoch_of(coloured_data, False, 0)
    sides = []
    for epoch in range(4):
        images, labels = epoch_of(coloured_data, "alternating", epoch)
        sides.append([torch.equal(one, two.flip(2)) for one, two in zip(images, plain, strict=True)])
        assert all(torch.equal(one, two) != side for one, two, side in zip(images, plain, sides[-1], strict=True))
        assert labels.tolist() == list(range(7))  # a picture keeps its label
    assert sides[1] == [not side for side in sides[0]]
    assert sides[2:] == sides[:2]


def test_alternating_flips_begin_with_a_half_that_the_seed_draws() -> None:
    first, other = mirrored(1000, seed=1, epoch=0), mirrored(1000, seed=2, epoch=0)
    assert 400 < int(first.sum()) < 600
    assert 400 < int((first == other).sum()) < 600
    assert torch.equal(first, mirrored(1000, seed=1, epoch=2))


def test_pictures_left_out_do_not_move_the_flips_of_others(vision_data: Path) -> None:
    every = mirrored(300, seed=1, epoch=1)
    options = VisionTrain(epochs=4, batch_size=50, augment={"flip": "alternating"}, prune={}).model_dump()
    task = domains.DOMAINS["vision"].training.Task(torch.nn.Flatten(), options)
    task.losses = torch.arange(300.0)
    batches = task.train_batches(vision_batches, vision_data, seed=1, epoch=1)
    images, _ = read(batches)
    pictures = torch.from_numpy(stored(vision_data, "train")[0][batches.order]).permute(0, 3, 1, 2).float() / 255
    expected = torch.where(every[batches.order].view(-1, 1, 1, 1), pictures.flip(3), pictures)
    assert len(images) < 300 and torch.equal(images, expected)
