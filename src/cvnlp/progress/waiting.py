"""A line on a terminal that shows what is running and for how long, while nothing else is printed.

It appears after some seconds of silence and disappears with the next output. Without a terminal nothing is written.
"""

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

SILENCE, REFRESH = 1.0, 0.5  # seconds: without output before the line appears, and between two of its states
ERASE = "\r\x1b[K"


class WaitingLine:
    """The line on `terminal`; `describe(seconds)` is its text so many seconds after the start."""

    def __init__(self, terminal: Any, describe: Callable[[float], str], *, until_output: bool) -> None:
        self.terminal, self.describe, self.until_output = terminal, describe, until_output
        self.started = self.last_output = time.monotonic()
        self.shown, self.in_line = False, False  # whether it is on the terminal; whether other text has no line end yet
        self.ended = threading.Event()
        self.lock = threading.RLock()

    def run(self) -> None:
        """Draw until the end; in a thread."""
        while not self.ended.wait(REFRESH):
            self.draw(time.monotonic())

    def draw(self, now: float) -> None:
        """Show the state at the time `now`, if there was no output for a while."""
        with self.lock:
            if not self.ended.is_set() and not self.in_line and now - self.last_output >= SILENCE:
                width = shutil.get_terminal_size().columns - 1
                self.terminal.write(ERASE + self.describe(now - self.started)[:width])
                self.terminal.flush()
                self.shown = True

    def make_room(self, text: str) -> None:
        """Erase the line for `text`, which is written next."""
        with self.lock:
            self.erase()
            self.last_output = time.monotonic()
            self.in_line = not text.endswith("\n") if text else self.in_line
            if self.until_output and text:
                self.ended.set()

    def erase(self) -> None:
        if self.shown:
            self.terminal.write(ERASE)
            self.terminal.flush()
            self.shown = False

    def end(self) -> None:
        """Erase the line for good."""
        self.ended.set()
        with self.lock:
            self.erase()

    def forget(self) -> None:
        """In a forked child, which has no thread: the lock may be held by that of the parent."""
        self.lock, self.shown = threading.RLock(), False
        self.ended.set()


class Watched:
    """A stream whose writes make room first; everything else is that of the stream."""

    def __init__(self, stream: Any, line: WaitingLine) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> int:
        with self._line.lock:
            self._line.make_room(text)
            return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def shown(what: str | Callable[[float], str], *, until_output: bool = False) -> Iterator[None]:
    """Show `what` and the seconds on the terminal of standard error while the block runs and prints nothing.

    `what` may also be a function from the seconds to the whole line. `until_output`: not again after the first output.
    """
    terminal = sys.stderr
    if not terminal.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    describe = what if callable(what) else lambda seconds: f"{what}: {seconds:.0f} s"
    line = WaitingLine(terminal, describe, until_output=until_output)
    os.register_at_fork(after_in_child=line.forget)
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Watched(sys.stdout, line), Watched(sys.stderr, line)
    threading.Thread(target=line.run, daemon=True).start()
    try:
        yield
    finally:
        line.end()
        sys.stdout, sys.stderr = streams
