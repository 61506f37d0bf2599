"""Sends what a training records to MLflow, from a thread that connects again after MLflow was unreachable.

The training must neither wait for MLflow nor end with it. Metrics are kept until MLflow has them; of more than `LIMIT`
epochs the oldest are dropped, and the stage `report` adds them from the files.
"""

import itertools
import os
import sys
import textwrap
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.tracking import address
from cvnlp.tracking.messages import End, Metrics, Start, Status
from cvnlp.tracking.run_metadata import PARENT

if TYPE_CHECKING:
    from cvnlp.tracking.mlflow_store import Store

LIMIT = 10_000  # epochs kept
BATCH = 1000  # metrics of one request, the most that MLflow accepts
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between attempts; the last one repeats
LONGEST = 150  # characters of an error
PARENT_TIMEOUT, POLL = 60.0, 0.1  # seconds
LAST_ATTEMPT = 10.0  # seconds, if the attempts before have failed


class Sender:
    """Records one training, from its start message on."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._end: End | None = None
        self._waiting: deque[Metrics] = deque(maxlen=LIMIT)
        self._unsent: list[Metrics] = []  # taken from the above, and perhaps not in MLflow
        self._error: Exception | None = None  # why the last attempt failed
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, message: Metrics | End) -> None:
        """Keep a message; never waits for MLflow."""
        with self._changed:
            if isinstance(message, End):
                self._end = message
            else:
                self._waiting.append(message)
            self._changed.notify()

    def close(self, timeout: float) -> None:
        """Wait until MLflow has everything, for at most `timeout` seconds; raises the error if it has not.

        A run without an end message is marked KILLED.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        patience = LAST_ATTEMPT if self._error else timeout
        self._thread.join(patience)
        if self._error or self._thread.is_alive():
            raise self._error or TimeoutError(f"no answer for {patience:.0f} s")

    def _run(self) -> None:
        """Attempt until everything is sent, or an attempt fails that began after the end of the training."""
        for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
            last = self._closed
            try:
                self._send()
                self._error = None
                return
            except Exception as error:
                self._note(error)
            if last:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=pause)

    def _note(self, error: Exception) -> None:
        """One line per interruption; the end of the training has its own."""
        if self._error is None and not self._closed:
            reason = textwrap.shorten(address.one_line(error), LONGEST, placeholder=" ...")
            print(f"note: MLflow cannot be reached ({reason}); the training goes on", file=sys.stderr)
        self._error = error

    def _send(self) -> None:
        """Open the run, log what arrives until the training ends, and end the run."""
        # imported here, for the recording process must read messages meanwhile, and a failed import is a failed attempt
        from cvnlp.tracking import mlflow_store

        store, run_id = open_run(self._start)
        with mlflow_store.system_metrics(run_id):
            while self._take():
                store.log_epochs(run_id, [(one.values, one.step, one.at) for one in self._unsent])
                self._unsent.clear()
                self._welcome()
        store.set_tags(run_id, self._end.tags if self._end else {})
        status: Status = self._end.status if self._end else "KILLED"
        store.client.set_terminated(run_id, status=status)

    def _take(self) -> bool:
        """Wait for metrics and take what one request holds; False if all are sent and the training has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._unsent or self._waiting or self._closed)
            room = BATCH - sum(len(one.values) for one in self._unsent)
            while self._waiting and (not self._unsent or len(self._waiting[0].values) <= room):
                self._unsent.append(self._waiting.popleft())
                room -= len(self._unsent[-1].values)
            return bool(self._unsent)

    def _welcome(self) -> None:
        if self._error is not None:
            self._error = None
            print("note: MLflow answers again: what was recorded meanwhile is sent", file=sys.stderr)


def open_run(start: Start) -> "tuple[Store, str]":
    """Create the training's run, or continue it after an interruption of either; returns the store and the run's id."""
    from cvnlp.tracking import mlflow_store

    store = mlflow_store.connect()
    store.mark_orphaned_runs_killed()
    parent = {PARENT: _parent_id(start.parent)} if start.parent else {}
    process = {"host": os.uname().nodename, "pid": str(start.pid)} | parent
    noted = start.note.read_text() if start.note.is_file() else ""
    if store.get_run(noted):  # $MLFLOW_TRACKING_URI may have changed since the interruption
        store.client.update_run(noted, status="RUNNING")
        store.set_tags(noted, process)
        return store, noted
    run_id = store.find_started(start.run, process, start.at)
    if run_id:  # whose creation was not answered, or was not complete
        store.describe_run(run_id, start.run)
    else:
        run_id = store.create_run(start.run, process, started=start.at)
    start.note.parent.mkdir(parents=True, exist_ok=True)
    start.note.write_text(run_id)
    return store, run_id


def _parent_id(note: Path) -> str:
    """The id of another recorder's run, which may not have it yet; empty if it does not come."""
    deadline = time.monotonic() + PARENT_TIMEOUT
    while not (note.is_file() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(POLL)
    return note.read_text() if note.is_file() else ""
