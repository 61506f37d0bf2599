"""Which pictures are for training, validation and test: as the data brings it, else drawn by seed and class."""

import itertools
from collections.abc import Iterable, Mapping

import numpy as np

from cvnlp.data.prepared import SPLITS

Request = Mapping[str, int | float | None]  # split -> pictures in all, share of every class, or as the data brings it


def check_request(brought: Iterable[str], request: Request, origin: str) -> None:
    """ValueError if a split is asked for that the data brings, or neither brought nor asked for."""
    brought = [split for split in SPLITS if split in set(brought)]
    for split, size in request.items():
        if size is None and split not in brought:
            raise ValueError(
                f"`{split}` is not given, but {origin} brings no {split} split of its own (it brings "
                f"{', '.join(brought)}): give a number of pictures, or a share of every class such as 0.1"
            )
        if size is not None and split in brought:
            raise ValueError(
                f"`{split}` is {size}, but {origin} brings its own {split} split, which is never drawn anew: "
                f"set `{split}` to null"
            )


def carve(
    labels: np.ndarray, classes: list[str], given: Mapping[str, np.ndarray], request: Request, *, seed: int
) -> dict[str, np.ndarray]:
    """Rising, disjoint indices of each split; those that `given` lacks are drawn from its `train`.

    A whole number is shared evenly among the classes; a share is taken of every class, rounded, at least one picture.
    ValueError names the classes that have too few.
    """
    wanted = {split: size for split, size in request.items() if size is not None}
    _check_sizes(wanted, len(classes))
    members = _by_class(labels, given["train"], len(classes))
    _check_enough(dict(zip(classes, map(len, members), strict=True)), wanted)
    _check_given(labels, classes, given)
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for indices in members:
        shuffled = generator.permutation(indices)
        for split, size in wanted.items():
            count = _taken(size, len(indices), len(classes))
            drawn[split].append(shuffled[:count])
            shuffled = shuffled[count:]
        drawn["train"].append(shuffled)
    return {
        split: given[split] if split in given and split != "train" else np.sort(np.concatenate(drawn[split]))
        for split in SPLITS
    }


def _by_class(labels: np.ndarray, pool: np.ndarray, classes: int) -> list[np.ndarray]:
    order = np.argsort(labels[pool], kind="stable")
    return np.split(pool[order], np.searchsorted(labels[pool], np.arange(1, classes), sorter=order))


def _taken(size: int | float, available: int, classes: int) -> int:
    """Pictures of one class."""
    return max(1, round(size * available)) if isinstance(size, float) else size // classes


def _check_sizes(wanted: Mapping[str, int | float], classes: int) -> None:
    for split, size in wanted.items():
        if size <= 0 or (isinstance(size, float) and size >= 1):
            raise ValueError(f"{split}: {size} is neither a number of pictures nor a share between 0 and 1")
        if isinstance(size, int) and size % classes:
            raise ValueError(
                f"{split}: {size} pictures do not divide evenly among {classes} classes; "
                f"give a multiple of {classes}, or a share such as 0.1"
            )
    shares = [size for size in wanted.values() if isinstance(size, float)]
    if sum(shares) >= 1:
        raise ValueError(f"{' and '.join(wanted)} take shares of {' + '.join(map(str, shares))}: nothing is left")


def _check_enough(available: Mapping[str, int], wanted: Mapping[str, int | float]) -> None:
    def left(count: int) -> int:
        return count - sum(_taken(size, count, len(available)) for size in wanted.values())

    few = {name: count for name, count in available.items() if left(count) < 1}
    if not few:
        return
    least = next(count for count in itertools.count(max(few.values()) + 1) if left(count) > 0)
    taken = f"{' and '.join(wanted)} take every picture" if wanted else "there is no training picture"
    raise ValueError(
        f"{taken} of {', '.join(f'class {name} (has {count})' for name, count in few.items())}; nothing is left to "
        f"train on: every class needs at least {least} to draw from"
    )


def _check_given(labels: np.ndarray, classes: list[str], given: Mapping[str, np.ndarray]) -> None:
    for split, indices in given.items():
        counts = np.bincount(labels[indices], minlength=len(classes))
        empty = [name for name, count in zip(classes, counts, strict=True) if not count]
        if split != "train" and empty:
            raise ValueError(f"the {split} split has no usable picture of class {', '.join(empty)}")
