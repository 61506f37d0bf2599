"""Work shared among processes: in order, never far ahead, and no process outlives its parent."""

import math
import os
from collections.abc import Iterator

import pytest

from cvnlp.vision.data.parallel import in_order, processors


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_pieces(workers: int) -> None:
    assert list(in_order(math.sqrt, range(50), workers=workers)) == [math.sqrt(number) for number in range(50)]


def test_pieces_are_taken_when_they_are_soon_needed() -> None:
    taken = []

    def pieces() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    for done, _ in enumerate(in_order(math.sqrt, pieces(), workers=2)):
        assert len(taken) <= done + 3 * 2


@pytest.mark.parametrize("workers", [1, 2])
def test_error_of_a_worker_is_that_of_the_caller(workers: int) -> None:
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative input"):
        list(in_order(math.sqrt, [1, -1, 1], workers=workers))


def test_killed_worker_is_a_clear_error() -> None:
    with pytest.raises(ChildProcessError, match="was killed, as happens where memory runs out"):
        list(in_order(os._exit, [1], workers=2))


def test_there_is_a_processor() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)
