"""A function mapped in several processes: results in order, few chunks at a time, errors of workers."""

import math
import os
from collections.abc import Iterator

import pytest

from cvnlp.vision.data.parallel import map_in_order, usable_processors


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_in_the_order_of_the_chunks(workers: int) -> None:
    assert list(map_in_order(math.sqrt, range(50), workers=workers)) == [math.sqrt(number) for number in range(50)]


def test_only_a_few_chunks_are_taken_in_advance() -> None:
    taken = []

    def chunks() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    for done, _ in enumerate(map_in_order(math.sqrt, chunks(), workers=2)):
        assert len(taken) <= done + 3 * 2


@pytest.mark.parametrize("workers", [1, 2])
def test_error_of_a_worker_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative input"):
        list(map_in_order(math.sqrt, [1, -1, 1], workers=workers))


def test_killed_worker_is_a_clear_error() -> None:
    with pytest.raises(ChildProcessError, match="was killed, as happens when memory runs out"):
        list(map_in_order(os._exit, [1], workers=2))


def test_there_is_at_least_one_processor() -> None:
    assert 1 <= usable_processors() <= (os.cpu_count() or 1)
