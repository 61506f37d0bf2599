"""A stage, or the recorder of a training, hands over to the server of `cvnlp repro`, which has done its imports.

Where the variable CVNLP_STAGE_SERVER names the socket of a server (cli/stage_server.py), the process that was started
sends its arguments, environment, folder and standard streams there, passes signals on, and ends with the exit code of
the child that runs them. Otherwise nothing happens.
"""

import array
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

SOCKET = "CVNLP_STAGE_SERVER"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, `kill` or the end of a job, a closed terminal
FAILED = 1
STREAMS = 3
PATIENCE, PAUSE = 20.0, 0.02  # seconds


def is_module(name: str) -> bool:
    """Whether this process was started as `python -m <name>`, or as a module of the package `name`."""
    return sys.orig_argv[1:2] == ["-m"] and f"{sys.orig_argv[2]}.".startswith(f"{name}.")


def hand_over() -> None:
    """Run this process's module in a child of the server, and end with its exit code; returns if there is no server."""
    place = os.environ.get(SOCKET)
    if not place:
        return
    connection = _connect(Path(place))
    if connection is None:  # the server has ended: this process imports for itself
        return
    request = {
        "arguments": sys.orig_argv[2:],
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "path": sys.path,
    }
    streams = array.array("i", range(STREAMS))
    connection.sendmsg([b"0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams.tobytes())])
    connection.sendall(json.dumps(request).encode() + b"\n")
    os._exit(_wait(connection))


def _connect(place: Path) -> socket.socket | None:
    """A connection to the server; one that has just started is awaited, for its imports are the same as the stage's."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    waiting = PATIENCE
    while not place.exists() and place.parent.exists() and waiting > 0:
        time.sleep(PAUSE)
        waiting -= PAUSE
    try:
        connection.connect(str(place))
    except OSError:
        return None
    return connection


def _wait(connection: socket.socket) -> int:
    """Pass signals on until the child has ended; returns its exit code."""
    answers = connection.makefile("r", encoding="utf-8")
    child = int(answers.readline())

    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    answer = answers.readline()
    return int(answer) if answer else FAILED
