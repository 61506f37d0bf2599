"""Rounds in which ours and the baseline take turns, which cancels changes of the machine's speed."""

import math
import time
from collections.abc import Callable

from bench.results import Pairs

Work = Callable[[], int]  # returns the number of images or tokens
TOLERANCE = 0.01  # by which two amounts of work may differ


def alternate(ours: Callable[[], float], baseline: Callable[[], float], rounds: int, **details: float) -> Pairs:
    """Values of both, one after the other, in each round."""
    pairs = [(ours(), baseline()) for _ in range(rounds)]
    return Pairs(ours=[one for one, _ in pairs], baseline=[one for _, one in pairs], details=details)


def compare_rates(ours: Work, baseline: Work, rounds: int) -> Pairs:
    """Images or tokens per second of both, after a warm-up. ValueError if the two do different amounts of work."""
    amounts = ours(), baseline()
    if not math.isclose(*amounts, rel_tol=TOLERANCE):
        raise ValueError(f"{amounts[0]} against {amounts[1]} examples are not the same work")
    return alternate(lambda: rate(ours), lambda: rate(baseline), rounds)


def rate(work: Work) -> float:
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
