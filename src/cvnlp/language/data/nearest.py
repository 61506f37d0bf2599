"""Choose documents whose total length is near a target."""

from collections.abc import Iterator

import numpy as np

from cvnlp.data.shares import is_near

ALL_CHOICES = 16  # documents, of which every choice is compared; of more, random ones
RANDOM_ORDERS = 1000


def nearest_choice(lengths: np.ndarray, target: float, most: int, generator: np.random.Generator) -> list[int]:
    """Places of 1 to `most` documents with these `lengths` (N,), in random order, whose sum is near `target`.

    The first choice in the order of the documents is returned if it is near enough, else the nearest one.
    """
    best, smallest = list[int](), float("inf")
    for choice in _choices(lengths, target, most, generator):
        distance = abs(float(lengths[choice].sum()) - target)
        if distance < smallest:
            best, smallest = choice, distance
        if is_near(float(lengths[choice].sum()), target):
            return choice
    return best


def _choices(lengths: np.ndarray, target: float, most: int, generator: np.random.Generator) -> Iterator[list[int]]:
    yield _first(lengths, target, most)
    if len(lengths) <= ALL_CHOICES:
        yield _nearest_of_all(lengths, target, most)
        return
    for _ in range(RANDOM_ORDERS):
        order = generator.permutation(len(lengths))
        yield [int(order[place]) for place in _fitting(lengths[order], target, most)]


def _first(lengths: np.ndarray, target: float, most: int) -> list[int]:
    """The first documents, up to the number that is nearest to the target."""
    before = np.cumsum(lengths) - lengths
    count = int(np.argmin(before + lengths / 2 < target)) if (before + lengths / 2 >= target).any() else len(lengths)
    return list(range(min(max(count, 1), most)))


def _fitting(lengths: np.ndarray, target: float, most: int) -> list[int]:
    """Each document, in order, that brings the sum nearer to the target; the smallest if there is none."""
    chosen, total = list[int](), 0
    for place, length in enumerate(lengths.tolist()):
        if total + length / 2 < target and len(chosen) < most:
            chosen.append(place)
            total += length
    return chosen or [int(lengths.argmin())]


def _nearest_of_all(lengths: np.ndarray, target: float, most: int) -> list[int]:
    choices = np.arange(1, 2 ** len(lengths))
    members = (choices[:, None] >> np.arange(len(lengths))) & 1
    distances = np.where(members.sum(1) <= most, np.abs(members @ lengths - target), np.inf)
    return np.flatnonzero(members[distances.argmin()]).tolist()
