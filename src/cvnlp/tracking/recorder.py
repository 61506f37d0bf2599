"""Live recording of a training in MLflow, by a separate process.

That process imports MLflow and waits for it while the training starts and runs, so that a slow or broken tracker
neither delays nor ends a training. If MLflow is unreachable, messages are kept and sent later (`sender.py`); what is
still missing when the training ends is one warning. The training writes messages to a pipe. However it ends, SIGKILL
included, the pipe closes, and a run without an end message is marked KILLED.
"""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from cvnlp.launch.processes import is_main_process
from cvnlp.tracking.messages import End, Message, Metrics, Start, Status, parse
from cvnlp.tracking.run_metadata import RunMetadata

SHUTDOWN_TIMEOUT = 120  # seconds that a finished training waits for MLflow


class Recorder:
    """The training's end of the pipe. Only the main process records."""

    def __init__(self) -> None:
        """Start the recording process, which imports MLflow meanwhile; nothing is in MLflow before `start_run`."""
        self._process = _start_process() if is_main_process() else None

    def start_run(self, run: RunMetadata, *, note: Path, parent: Path | None = None) -> None:
        """`note`: a file for the MLflow run's id, so that a resumed training continues its run.

        `parent`: such a file of the run to which this one belongs; it may be written later.
        """
        self._send(
            Start(run=run, note=note.resolve(), pid=os.getpid(), at=time.time(), parent=parent and parent.resolve())
        )

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        self._send(Metrics(values=values, step=step, at=time.time()))

    def end_run(self, status: Status, tags: Mapping[str, str] | None = None, *, last: bool = True) -> None:
        """End the run; after the last one wait until everything is in MLflow."""
        self._send(End(status=status, tags=dict(tags or {})))
        if last:
            self.close()

    def close(self) -> None:
        """Wait until everything is in MLflow, for at most `SHUTDOWN_TIMEOUT` seconds."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.close()
            self._process.wait(timeout=SHUTDOWN_TIMEOUT)
        except BrokenPipeError:
            return
        except subprocess.TimeoutExpired:
            print(
                f"warning: MLflow has not stored everything after {SHUTDOWN_TIMEOUT} s; it may still do so",
                file=sys.stderr,
            )

    def _send(self, message: Message) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(message.to_line())
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # the recording process has ended and has printed the reason


def _start_process() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cvnlp.tracking.recorder"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # MLflow prints messages of its own
        start_new_session=True,  # Ctrl-C ends the training, which then sends the end message
        encoding="utf-8",
    )


def _record(messages: Iterator[Message]) -> None:
    """Read the messages at once, whatever MLflow does, until the pipe closes; one run after the other."""
    for message in messages:
        if isinstance(message, Start):  # otherwise the training was refused before it began
            _record_run(message, messages)


def _record_run(start: Start, messages: Iterator[Message]) -> None:
    from cvnlp.tracking.sender import Sender  # imports SQLAlchemy, which the training's process does not need

    sender = Sender(start)
    for message in messages:
        if not isinstance(message, Start):
            sender.put(message)
        if isinstance(message, End):
            break
    sender.close(SHUTDOWN_TIMEOUT)


def main() -> None:
    """Record what arrives on standard input; what is missing in the end is one warning."""
    from cvnlp.tracking import address

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with address.masked_output():
        try:
            _record(parse(line) for line in io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8"))
        except Exception as error:
            print(
                f"warning: not recorded in MLflow ({address.one_line(error)}); "
                "the files are complete, and the report stage completes the run",
                file=sys.stderr,
            )


if __name__ == "__main__":
    main()
