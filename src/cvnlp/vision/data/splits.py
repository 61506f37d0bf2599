"""Assign images to train, validation and test: as the data set does, else drawn at random from each class."""

import itertools
from collections.abc import Iterable, Mapping

import numpy as np

from cvnlp.data.prepared import SPLITS
from cvnlp.data.shares import warn_if_far

# validation and test -> a number of images in all, a share of each class, or None if the data set has the split
HeldOut = Mapping[str, int | float | None]


def check_held_out(given: Iterable[str], held_out: HeldOut, origin: str) -> None:
    """ValueError for a split that is both given by the data set and held out, or neither; `origin` names the data."""
    given = [split for split in SPLITS if split in set(given)]
    for split, size in held_out.items():
        if size is None and split not in given:
            raise ValueError(
                f"`{split}` is null, but {origin} has no {split} split of its own (it has {', '.join(given)}): set "
                f"`{split}` to a number of images, or to a share of each class such as 0.1"
            )
        if size is not None and split in given:
            raise ValueError(
                f"`{split}` is {size}, but {origin} has its own {split} split, which is never replaced: "
                f"set `{split}` to null"
            )


def draw_splits(
    labels: np.ndarray, classes: list[str], given: Mapping[str, np.ndarray], held_out: HeldOut, *, seed: int
) -> dict[str, np.ndarray]:
    """Ascending, disjoint indices of each split; those that `given` lacks are drawn from its `train`.

    A number of images is divided evenly among the classes. A share is taken of each class, rounded, at least one image.
    A split that is far from its share is a warning. ValueError names the classes with too few images.
    """
    wanted = {split: size for split, size in held_out.items() if size is not None}
    _check_sizes(wanted, len(classes))
    members = _by_class(labels, given["train"], len(classes))
    _check_enough(dict(zip(classes, map(len, members), strict=True)), wanted)
    _check_given(labels, classes, given)
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for indices in members:
        shuffled = generator.permutation(indices)
        for split, size in wanted.items():
            count = _class_count(size, len(indices), len(classes))
            drawn[split].append(shuffled[:count])
            shuffled = shuffled[count:]
        drawn["train"].append(shuffled)
    for split, size in wanted.items():
        if isinstance(size, float):
            obtained = sum(map(len, drawn[split])) / len(given["train"])
            warn_if_far(split, size, obtained, "it is rounded to whole images of each class, at least one")
    return {
        split: given[split] if split in given and split != "train" else np.sort(np.concatenate(drawn[split]))
        for split in SPLITS
    }


def _by_class(labels: np.ndarray, pool: np.ndarray, classes: int) -> list[np.ndarray]:
    order = np.argsort(labels[pool], kind="stable")
    return np.split(pool[order], np.searchsorted(labels[pool], np.arange(1, classes), sorter=order))


def _class_count(size: int | float, available: int, classes: int) -> int:
    """Images of one class to hold out."""
    return max(1, round(size * available)) if isinstance(size, float) else size // classes


def _check_sizes(wanted: Mapping[str, int | float], classes: int) -> None:
    for split, size in wanted.items():
        if size <= 0 or (isinstance(size, float) and size >= 1):
            raise ValueError(f"{split}: {size} is neither a number of images nor a share between 0 and 1")
        if isinstance(size, int) and size % classes:
            raise ValueError(
                f"{split}: {size} images cannot be divided evenly among {classes} classes; "
                f"choose a multiple of {classes}, or a share such as 0.1"
            )
    shares = [size for size in wanted.values() if isinstance(size, float)]
    if sum(shares) >= 1:
        raise ValueError(
            f"{' and '.join(wanted)} hold out shares of {' + '.join(map(str, shares))}: nothing is left for training"
        )


def _check_enough(available: Mapping[str, int], wanted: Mapping[str, int | float]) -> None:
    def left(count: int) -> int:
        return count - sum(_class_count(size, count, len(available)) for size in wanted.values())

    few = {name: count for name, count in available.items() if left(count) < 1}
    if not few:
        return
    least = next(count for count in itertools.count(max(few.values()) + 1) if left(count) > 0)
    problem = f"{' and '.join(wanted)} hold out every image" if wanted else "there is no training image"
    raise ValueError(
        f"{problem} of {', '.join(f'class {name} (has {count})' for name, count in few.items())}; nothing is left for "
        f"training: each class needs at least {least} images"
    )


def _check_given(labels: np.ndarray, classes: list[str], given: Mapping[str, np.ndarray]) -> None:
    for split, indices in given.items():
        counts = np.bincount(labels[indices], minlength=len(classes))
        empty = [name for name, count in zip(classes, counts, strict=True) if not count]
        if split != "train" and empty:
            raise ValueError(f"the {split} split has no usable image of class {', '.join(empty)}")
