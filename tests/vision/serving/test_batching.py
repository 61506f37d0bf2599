"""Items of concurrent requests are processed together, and every request gets its own results."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from cvnlp.vision.serving.batching import Batcher, FullQueueError


class Recorder:
    """Squares numbers, and records the batches; the first one waits until it is released."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started, self.released = threading.Event(), threading.Event()

    def __call__(self, items: list[int]) -> Sequence[int]:
        self.batches.append(items)
        self.started.set()
        assert self.released.wait(60)
        if -1 in items:
            raise RuntimeError("a wrong item")
        return [item * item for item in items]

    async def busy(self) -> None:
        """Until the first batch is being processed."""
        await asyncio.get_running_loop().run_in_executor(None, self.started.wait, 60)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def test_what_waits_is_one_batch() -> None:
    async def test() -> None:
        process = Recorder()
        batcher = Batcher(process, batch_size=8)
        first = asyncio.create_task(batcher.submit([1]))
        await process.busy()
        others = [asyncio.create_task(batcher.submit([number, number + 1])) for number in range(2, 6)]
        await asyncio.sleep(0)
        process.released.set()
        assert await asyncio.gather(first, *others) == [[1], [4, 9], [9, 16], [16, 25], [25, 36]]
        assert process.batches == [[1], [2, 3, 3, 4, 4, 5, 5, 6]]

    run(test())


def test_a_batch_has_at_most_the_given_size_or_one_larger_request() -> None:
    async def test() -> None:
        process = Recorder()
        batcher = Batcher(process, batch_size=3)
        requests = [[0], [1, 2], [3], [4], [5, 6, 7, 8, 9], [10]]
        tasks = [asyncio.create_task(batcher.submit(request)) for request in requests]
        await asyncio.sleep(0)
        process.released.set()
        assert await asyncio.gather(*tasks) == [[item * item for item in request] for request in requests]
        assert [len(batch) for batch in process.batches] == [3, 2, 5, 1]

    run(test())


def test_an_error_is_that_of_its_batch() -> None:
    async def test() -> None:
        process = Recorder()
        process.released.set()
        batcher = Batcher(process, batch_size=1)
        tasks = [asyncio.create_task(batcher.submit([item])) for item in (2, -1, 3)]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert (found[0], found[2]) == ([4], [9])
        assert isinstance(found[1], RuntimeError)

    run(test())


def test_a_cancelled_request_is_not_processed() -> None:
    async def test() -> None:
        process = Recorder()
        batcher = Batcher(process)
        first = asyncio.create_task(batcher.submit([1]))
        await process.busy()
        cancelled, last = asyncio.create_task(batcher.submit([2])), asyncio.create_task(batcher.submit([3]))
        await asyncio.sleep(0)
        cancelled.cancel()
        first.cancel()
        await asyncio.sleep(0)
        process.released.set()
        assert await last == [9]
        assert process.batches == [[1], [3]]

    run(test())


def test_more_than_may_wait_are_refused() -> None:
    async def test() -> None:
        process = Recorder()
        batcher = Batcher(process, waiting=3)
        first = asyncio.create_task(batcher.submit([1]))
        await process.busy()
        waiting = asyncio.create_task(batcher.submit([2, 3]))
        await asyncio.sleep(0)
        with pytest.raises(FullQueueError):
            await batcher.submit([4, 5])
        process.released.set()
        assert await asyncio.gather(first, waiting) == [[1], [4, 9]]
        assert await batcher.submit([4, 5]) == [16, 25]

    run(test())


def test_no_items_have_no_results() -> None:
    async def test() -> None:
        process = Recorder()
        process.released.set()
        assert await Batcher(process).submit([]) == []

    run(test())
