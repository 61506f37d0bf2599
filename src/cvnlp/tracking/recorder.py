"""A training shown in MLflow while it runs, by a process of its own.

That process imports MLflow and waits for its database while the training gets ready and works, so that neither a slow
nor a broken tracker holds up or ends a training: a tracker that fails is one warning. The training writes one line of
JSON a message into a pipe. However the training ends, SIGKILL included, the pipe closes, and without a last word the
run is marked KILLED.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Message = dict[str, Any]
PATIENCE = 120  # seconds that a finished training waits for MLflow


class Recorder:
    """The training's end of the pipe."""

    def __init__(self) -> None:
        """Start the process, which gets ready while the training does; nothing is in MLflow before `open`."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cvnlp.tracking.recorder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # MLflow's greetings
            start_new_session=True,  # Ctrl-C is for the training, which then tells the tracker
            text=True,
        )

    def open(
        self, name: str, *, params: dict[str, Any], tags: dict[str, str], dataset: dict[str, str], note: Path
    ) -> None:
        """`note`: a file that holds the MLflow run's id, so that a resumed training goes on in its run."""
        note = note.resolve()
        self._send(name=name, params=params, tags=tags, dataset=dataset, note=str(note), pid=os.getpid())

    def metrics(self, values: dict[str, float], step: int) -> None:
        self._send(metrics=values, step=step)

    def finish(self, status: str, tags: dict[str, str] | None = None) -> None:
        """End the run with MLflow's `status` (FINISHED, FAILED, KILLED) and wait until it is written down."""
        self._send(status=status, tags=tags or {})
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=PATIENCE)
        except BrokenPipeError:
            return
        except subprocess.TimeoutExpired:
            print(f"warning: MLflow did not take everything within {PATIENCE} s; it may still do so", file=sys.stderr)

    def _send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # the tracker has gone, and has said so itself


def _messages() -> Iterator[Message]:
    for line in sys.stdin:
        yield json.loads(line)


def _open_run(start: Message) -> tuple[Any, str]:
    # imported here and not by the training's side; and if it fails, that is a warning like any other
    from cvnlp.tracking import mlflow_store

    client, experiment = mlflow_store.connect()
    mlflow_store.bury_the_dead(client, experiment)
    note = Path(start["note"])
    run_id = note.read_text() if note.is_file() else ""
    if run_id:
        client.update_run(run_id, status="RUNNING")
    else:
        run_id = mlflow_store.create_run(
            client, experiment, start["name"], start["params"], start["tags"], start["dataset"]
        )
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(run_id)
    client.set_tag(run_id, "host", os.uname().nodename)
    client.set_tag(run_id, "pid", str(start["pid"]))
    return client, run_id


def _follow() -> None:
    """Write down what the pipe brings until it closes."""
    from cvnlp.tracking import mlflow_store

    messages = _messages()
    start = next(messages, None)
    if start is None:  # the training was refused before it began
        return
    client, run_id = _open_run(start)
    status = "KILLED"
    with mlflow_store.system_metrics(run_id):
        for message in messages:
            if "metrics" in message:
                mlflow_store.log_metrics(client, run_id, message["metrics"], message["step"])
            if "status" in message:
                status = message["status"]
                for key, value in message["tags"].items():
                    client.set_tag(run_id, key, value)
    client.set_terminated(run_id, status=status)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _follow()
    except Exception as error:
        print(
            f"warning: not tracked in MLflow ({type(error).__name__}: {str(error).splitlines()[0]}); "
            "the files are complete, and the report stage catches up",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
