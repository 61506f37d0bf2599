"""Batches of images: every image once per epoch, in an order that seed and epoch decide."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cvnlp.data import prepared
from cvnlp.params.runs import VisionTrain
from cvnlp.vision.batches import Batches, DeviceBatches, split_batches, train_batches


def options(batch_size: int) -> VisionTrain:
    return VisionTrain(epochs=1, batch_size=batch_size)


def read(batches: Batches) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, labels and rows of all batches."""
    images, labels, rows = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels), torch.cat(rows)


def stored(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    return prepared.load_array(folder, f"{split}_images"), prepared.load_array(folder, f"{split}_labels")


@pytest.fixture
def coloured_data(tmp_path: Path) -> Path:
    """Seven oblong images with three channels."""
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 4, 3), dtype=np.uint8)
    prepared.save_array(tmp_path, "train_images", images)
    prepared.save_array(tmp_path, "train_labels", np.arange(7, dtype=np.uint8))
    return tmp_path


def test_images_are_float_from_0_to_1_with_channels_first(vision_data: Path) -> None:
    images, labels, rows = next(iter(train_batches(vision_data, options(32), seed=1, epoch=0)))
    assert images.shape == (32, 1, 12, 12) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() == 1
    assert labels.shape == rows.shape == (32,) and labels.dtype == rows.dtype == torch.int64


def test_a_batch_has_the_stored_pixels_and_labels_of_its_rows(coloured_data: Path) -> None:
    images, labels, rows = read(train_batches(coloured_data, options(3), seed=1, epoch=0))
    pixels, classes = stored(coloured_data, "train")
    assert labels.tolist() == classes[rows].tolist()
    expected = pixels[rows].astype(np.float32).transpose(0, 3, 1, 2) / 255
    assert images.numpy() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("batch_size", [1, 64, 100, 300, 1000])
def test_an_epoch_has_every_image_once(vision_data: Path, batch_size: int) -> None:
    images, _, rows = read(train_batches(vision_data, options(batch_size), seed=1, epoch=4))
    assert sorted(rows.tolist()) == list(range(300))
    pixels, _ = stored(vision_data, "train")
    found = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in pixels)


def test_every_image_keeps_its_label(vision_data: Path) -> None:
    images, labels, _ = read(train_batches(vision_data, options(64), seed=1, epoch=0))
    brightest_row = images[:, 0].sum(2).argmax(1)  # a bright bar, whose row is the class
    assert torch.equal(brightest_row, labels)


def test_an_epoch_can_be_of_some_images(vision_data: Path) -> None:
    kept = np.arange(300) % 3 == 0
    every = read(train_batches(vision_data, options(64), seed=1, epoch=0))[2]
    some = read(train_batches(vision_data, options(64), seed=1, epoch=0, kept=kept))[2]
    assert some.tolist() == [row for row in every.tolist() if row % 3 == 0]  # in the same order


def test_images_can_be_flipped(coloured_data: Path) -> None:
    flipped = np.arange(7) % 2 == 0
    images, _, rows = read(train_batches(coloured_data, options(3), seed=1, epoch=0, flipped=flipped))
    plain, _, _ = read(train_batches(coloured_data, options(3), seed=1, epoch=0))
    for image, before, row in zip(images, plain, rows.tolist(), strict=True):
        assert torch.equal(image, before.flip(2) if flipped[row] else before)


@pytest.mark.parametrize("batch_size", [1, 64, 100, 300, 1000])
def test_the_last_batch_may_be_smaller(vision_data: Path, batch_size: int) -> None:
    batches = train_batches(vision_data, options(batch_size), seed=1, epoch=0)
    sizes = [len(batch.labels) for batch in batches]
    assert len(sizes) == len(batches)
    assert sum(sizes) == 300
    assert set(sizes[:-1]) <= {batch_size} and 0 < sizes[-1] <= batch_size


def test_seed_and_epoch_decide_the_order(vision_data: Path) -> None:
    def order(seed: int, epoch: int, batch_size: int = 64) -> torch.Tensor:
        return read(train_batches(vision_data, options(batch_size), seed=seed, epoch=epoch))[0]

    first = order(1, 0)
    torch.manual_seed(99)
    assert torch.equal(first, order(1, 0))
    assert torch.equal(first, order(1, 0, batch_size=7))
    assert not torch.equal(first, order(1, 1))
    assert not torch.equal(first, order(2, 0))
    assert not torch.equal(order(1, 2), order(2, 1))


def test_reading_twice_gives_the_same_batches(vision_data: Path) -> None:
    batches = train_batches(vision_data, options(64), seed=1, epoch=0)
    assert torch.equal(read(batches)[0], read(batches)[0])


def test_the_memory_format_of_a_batch_is_channels_last(coloured_data: Path) -> None:
    images = next(iter(train_batches(coloured_data, options(5), seed=1, epoch=0))).images
    assert images.shape == (5, 3, 6, 4)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert not images.is_contiguous()


@pytest.mark.parametrize("split", prepared.SPLITS)
def test_a_split_is_read_in_stored_order(vision_data: Path, split: str) -> None:
    images, labels, rows = read(split_batches(vision_data, split))
    pixels, classes = stored(vision_data, split)
    assert (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy().tobytes() == pixels.tobytes()
    assert labels.tolist() == classes.tolist()
    assert rows.tolist() == list(range(len(classes)))


def test_a_damaged_array_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"test_images\.npy"):
        split_batches(tmp_path, "test")


def test_batches_of_a_device_are_those_of_the_memory_map(coloured_data: Path) -> None:
    flipped = np.arange(7) % 2 == 0
    batches = train_batches(coloured_data, options(3), seed=1, epoch=0, flipped=flipped)
    arrays = [torch.from_numpy(array.copy()) for array in stored(coloured_data, "train")]
    on_device = DeviceBatches(batches, *arrays)
    assert len(on_device) == len(batches)
    for mine, other in zip(on_device, batches, strict=True):
        assert all(torch.equal(*pair) and pair[0].dtype == pair[1].dtype for pair in zip(mine, other, strict=True))
        assert mine.images.stride() == other.images.stride()


def test_batches_are_cut_on_the_device_of_the_arrays(coloured_data: Path) -> None:
    arrays = [torch.from_numpy(array.copy()).to("meta") for array in stored(coloured_data, "train")]
    for batch in DeviceBatches(split_batches(coloured_data, "train", batch_size=3), *arrays):
        assert {part.device.type for part in batch} == {"meta"}
