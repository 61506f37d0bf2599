"""Dynamic batching: items of concurrent requests are processed together, by one worker thread."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class FullQueueError(Exception):
    """More items wait than the queue may hold: the client is to try again later."""


class Batcher(Generic[Item, Result]):
    """Calls `process` with the items of all waiting requests, at most `batch_size` (one larger request is a batch).

    `process` returns a result for each item, and runs in one thread, so it need not be thread-safe. Nothing waits for a
    batch to fill up: while a batch is processed, the next one gathers. At most `waiting` items are in the queue.
    """

    def __init__(
        self, process: Callable[[list[Item]], Sequence[Result]], *, batch_size: int = 64, waiting: int = 1024
    ) -> None:
        self._process, self._batch_size, self._limit = process, batch_size, waiting
        self._queue: deque[tuple[list[Item], asyncio.Future[list[Result]]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batcher")
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, items: list[Item]) -> list[Result]:
        """The results of these items, in their order; FullQueueError if too many wait."""
        if sum(len(waiting) for waiting, _ in self._queue) + len(items) > self._limit:
            raise FullQueueError
        future: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        self._queue.append((items, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        """Process batches until the queue is empty."""
        loop = asyncio.get_running_loop()
        while batch := self._next_batch():
            items = [item for request, _ in batch for item in request]
            try:
                results = await loop.run_in_executor(self._thread, self._process, items)
            except Exception as error:  # of the requests of this batch, not of the queue
                _fail([future for _, future in batch], error)
            else:
                _distribute(batch, results)

    def _next_batch(self) -> list[tuple[list[Item], "asyncio.Future[list[Result]]"]]:
        """The requests at the head of the queue that fit into one batch, without those that were cancelled."""
        batch: list[tuple[list[Item], asyncio.Future[list[Result]]]] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0][0]) <= self._batch_size):
            items, future = self._queue.popleft()
            if not future.done():
                batch.append((items, future))
                size += len(items)
        return batch


def _fail(futures: "list[asyncio.Future[list[Result]]]", error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)


def _distribute(batch: "list[tuple[list[Item], asyncio.Future[list[Result]]]]", results: Sequence[Result]) -> None:
    start = 0
    for items, future in batch:
        if not future.done():
            future.set_result(list(results[start : start + len(items)]))
        start += len(items)
