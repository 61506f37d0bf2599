"""Map a function over an iterable in several processes: results in order, and only a few chunks in memory."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


def usable_processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], *, workers: int
) -> Generator[Result, None, None]:
    """Yield function(chunk) for each chunk, in order; one worker is this process.

    A chunk is taken from the iterable when a worker is soon free. ChildProcessError if a worker is killed.
    """
    if workers == 1:
        yield from map(function, chunks)
        return
    with _pool(workers) as pool:
        waiting: deque[Future[Result]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(function, chunk))
            if len(waiting) == 3 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(workers, mp_context=_context(), initializer=_start)
    try:
        yield pool
    except BrokenProcessPool:
        raise ChildProcessError(
            "a process that decodes images was killed, as happens when memory runs out; nothing was saved, run again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    """New processes are forked from a server that has imported the decoder and runs no other threads.

    Forking this process would be half a second faster, but its threads (BLAS, a progress bar, torch) may hold locks for
    which the child would wait forever.
    """
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.decoding", f"{__package__}.parallel"])
    return context


def _start() -> None:
    """Leave Ctrl-C to the parent, and end when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
