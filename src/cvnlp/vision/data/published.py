"""Published data sets of images: a reader for each, from the files as they were published."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cvnlp.data.download.fetch import fetch
from cvnlp.data.download.verify import read_members
from cvnlp.vision.data.image_set import ImageSet, Staging, check_space, of_arrays

DIGITS = [str(digit) for digit in range(10)]
CLOTHES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip
THINGS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def read_mnist_sample(raw: Path) -> ImageSet:
    """5,000 MNIST digits, 500 of each: a CSV file with a line per image, 784 pixels row by row and the digit."""
    path = fetch("mnist_sample", raw)["mnist_5k.csv"]
    table = np.loadtxt(path, delimiter=",", dtype=np.float32).astype(np.uint8)
    return of_arrays(table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1], DIGITS)


def read_mnist(raw: Path) -> ImageSet:
    return _read_idx(fetch("mnist", raw), DIGITS)


def read_fashion_mnist(raw: Path) -> ImageSet:
    return _read_idx(fetch("fashion_mnist", raw), CLOTHES)


# IDX: a magic number (two zero bytes, the type 8 for uint8, the number of dimensions), the dimensions, the values -----


def _read_idx(paths: dict[str, Path], classes: list[str]) -> ImageSet:
    """Read through memory maps; the official test images come after the training images."""
    images = [paths["train-images-idx3-ubyte"], paths["t10k-images-idx3-ubyte"]]
    shapes = [_idx_shape(path, 3) for path in images]
    labels = [_idx_labels(paths[f"{name}-labels-idx1-ubyte"], len(classes)) for name in ("train", "t10k")]
    for path, shape, of_file in zip(images, shapes, labels, strict=True):
        if shape[0] != len(of_file) or shape[1:] != shapes[0][1:]:
            raise ValueError(f"{path} contains images of shape {shape}, but there are {len(of_file)} labels")
    first = len(labels[0])

    def rows(indices: np.ndarray) -> np.ndarray:
        of_test = indices >= first
        found = np.empty((len(indices), *shapes[0][1:], 1), dtype=np.uint8)
        found[~of_test, ..., 0] = _idx_map(images[0], shapes[0])[indices[~of_test]]
        found[of_test, ..., 0] = _idx_map(images[1], shapes[1])[indices[of_test] - first]
        return found

    given = {"train": np.arange(first), "test": np.arange(first, first + len(labels[1]))}
    return ImageSet(classes, np.concatenate(labels), (shapes[0][1], shapes[0][2], 1), rows, given)


def _idx_shape(path: Path, dimensions: int) -> tuple[int, ...]:
    with path.open("rb") as file:
        head = file.read(4 + 4 * dimensions)
    shape = tuple(int(size) for size in np.frombuffer(head[4:], dtype=">u4")) if len(head) == 4 + 4 * dimensions else ()
    if head[:4] != bytes((0, 0, 8, dimensions)) or not shape:
        raise ValueError(f"{path} is not an IDX file of bytes in {dimensions} dimensions: it begins with {head[:4]!r}")
    if path.stat().st_size != len(head) + math.prod(shape) or 0 in shape:
        raise ValueError(f"{path} has a header for the shape {shape}, but {path.stat().st_size} bytes")
    return shape


def _idx_map(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, np.uint8, "r", offset=4 + 4 * len(shape), shape=shape)


def _idx_labels(path: Path, classes: int) -> np.ndarray:
    labels = np.array(_idx_map(path, _idx_shape(path, 1)))
    if labels.max() >= classes:
        raise ValueError(f"{path} contains the label {labels.max()}, but there are {classes} classes")
    return labels


# CIFAR-10: a record is the label, then the red, green and blue planes ------------------------------------------------

CIFAR10_FILES = [
    f"cifar-10-batches-bin/{name}.bin" for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")
]
CIFAR10_RECORD = 1 + 3 * 32 * 32


def read_cifar10(raw: Path) -> ImageSet:
    """The five batches for training, then the official test batch."""
    path = fetch("cifar10", raw)["cifar-10-binary.tar.gz"]
    check_space(path.parent, 60_000 * CIFAR10_RECORD)
    staging = Staging(path.parent, (CIFAR10_RECORD,))  # an uncompressed copy, for access by row
    try:
        labels = [_stage(records, staging) for records in _cifar10_records(path)]
    except BaseException:
        staging.close()
        raise

    def rows(indices: np.ndarray) -> np.ndarray:
        return staging.rows(indices)[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)

    ends = np.cumsum([len(part) for part in labels])
    given = {"train": np.arange(ends[-2]), "test": np.arange(ends[-2], ends[-1])}
    return ImageSet(THINGS, np.concatenate(labels), (32, 32, 3), rows, given, close=staging.close)


def _cifar10_records(path: Path) -> Iterator[np.ndarray]:
    for name, content in read_members(path, CIFAR10_FILES):
        if not content or len(content) % CIFAR10_RECORD:
            raise ValueError(f"{name} in {path} has {len(content)} bytes, not records of {CIFAR10_RECORD}")
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, CIFAR10_RECORD)
        if records[:, 0].max() >= len(THINGS):
            raise ValueError(
                f"{name} in {path} contains the label {records[:, 0].max()}, but there are {len(THINGS)} classes"
            )
        yield records


def _stage(records: np.ndarray, staging: Staging) -> np.ndarray:
    staging.append(records)
    return records[:, 0].copy()


READERS: dict[str, Callable[[Path], ImageSet]] = {
    "mnist_sample": read_mnist_sample,
    "mnist": read_mnist,
    "fashion_mnist": read_fashion_mnist,
    "cifar10": read_cifar10,
}
