"""The slices of a batch: together they are the batch, and their sizes differ by at most one row."""

import pytest

from cvnlp.launch.slices import WHOLE, BatchSlices


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("accumulate", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 64])
def test_every_row_is_in_one_slice(processes: int, accumulate: int, count: int) -> None:
    found = [list(BatchSlices(rank, processes, accumulate).cut(count)) for rank in range(processes)]
    assert {len(own) for own in found} == {accumulate}
    assert [row for own in found for one in own for row in range(count)[one]] == list(range(count))
    sizes = [one.stop - one.start for own in found for one in own]
    assert max(sizes) - min(sizes) <= 1


def test_a_whole_batch_is_one_slice() -> None:
    assert list(WHOLE.cut(7)) == [slice(0, 7)]
    assert BatchSlices(1, 2, 3).whole == BatchSlices(1, 2, 1)
