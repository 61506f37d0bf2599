"""Many files decoded by several processes, in order, with no more at hand than they are working on."""

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

Given = TypeVar("Given")
Made = TypeVar("Made")


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[Given], Made], pieces: Iterable[Given], *, workers: int) -> Generator[Made, None, None]:
    """`work` of every piece, in the order of the pieces; with one worker, in this process.

    A piece is taken when a worker will soon be free. ChildProcessError if a worker is killed.
    """
    if workers == 1:
        yield from map(work, pieces)
        return
    with _pool(workers) as pool:
        waiting: deque[Future[Made]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
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
            "a process that decodes pictures was killed, as happens where memory runs out; nothing was kept, run again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    """New processes come from a clean server, which has imported what they need.

    To fork this process itself would be half a second faster, but whatever threads it has (BLAS, a progress bar, torch)
    may hold locks that the child then waits for.
    """
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.decoding", f"{__package__}.parallel"])
    return context


def _start() -> None:
    """Ctrl-C is the parent's matter; and when the parent is killed, nobody else would end this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
