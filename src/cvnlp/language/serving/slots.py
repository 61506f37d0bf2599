"""A limit of concurrent computations: some run in threads of their own, some wait, the others are refused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class BusyError(Exception):
    """As many as may wait do so: the client is to try again later."""


class Slots:
    """`running` computations at a time, each in a thread; `waiting` more may wait for their turn."""

    def __init__(self, *, running: int = 2, waiting: int = 16) -> None:
        self._free, self._waiting, self._limit = asyncio.Semaphore(running), 0, waiting
        self._threads = ThreadPoolExecutor(running, thread_name_prefix="slot")

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot, after waiting for a free one; BusyError at once if too many wait."""
        if self._free.locked() and self._waiting >= self._limit:
            raise BusyError
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    async def run(self, function: Callable[[], Result]) -> Result:
        """Call the function in a thread; for those who hold a slot."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)
