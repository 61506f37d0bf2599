"""The server of `cvnlp repro`: it loads torch, Lightning and MLflow once, and forks the stages and their recorders.

Such a process takes seconds before its work begins, most of them for imports. A child of the server has them done, and
runs the same module with the same arguments as that process (hand_over.py): its results are the same. The server
computes nothing itself, for a fork copies no threads.
"""

import array
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import TypedDict

from cvnlp.hand_over import FAILED, SIGNALS, STREAMS


class Request(TypedDict):
    """What a stage hands over: module and arguments, working directory, environment, and sys.path."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    path: list[str]


def serve(listening: socket.socket) -> None:
    """Run a stage in a child for every connection, until the process is ended by SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the stages through their own processes
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leaves no zombies
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:  # waits for the stage, so that the server can accept the next one
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _supervise(connection)
        connection.close()


def _supervise(connection: socket.socket) -> None:
    """Fork once more, run the stage there, and report its exit code; it ends when its client does."""
    streams = array.array("i")
    _, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_LEN(STREAMS * streams.itemsize))
    streams.frombytes(ancillary[0][2])
    request: Request = json.loads(connection.makefile("r", encoding="utf-8").readline())
    child = os.fork()
    if child == 0:
        connection.close()
        _run(request, list(streams))
    connection.sendall(f"{child}\n".encode())
    ended, _, _ = select.select([os.pidfd_open(child), connection.fileno()], [], [])
    if connection.fileno() in ended:
        os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    try:
        connection.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
    finally:
        os._exit(0)


def _run(request: Request, streams: list[int]) -> None:
    """Run the module with the client's streams, folder, environment and arguments; never returns."""
    _use_streams(streams)
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = request["path"]
    sys.argv[:] = request["arguments"]
    code = FAILED
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = _exit_code(ended)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _use_streams(streams: list[int]) -> None:
    """Standard input, output and errors as a new interpreter opens them."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1 if os.isatty(1) else -1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)


def _exit_code(ended: SystemExit) -> int:
    """As the interpreter does: a text is printed and means failure."""
    if isinstance(ended.code, str):
        print(ended.code, file=sys.stderr)
        return FAILED
    return int(ended.code or 0)


def main() -> None:
    """Import what the stages need, then serve on the socket whose path is the only argument."""
    place = sys.argv[1]
    import cvnlp.provenance
    import cvnlp.tracking.sync
    import cvnlp.training.trainer  # noqa: F401
    from cvnlp.domains import DOMAINS, HALVES

    for half in HALVES:
        _ = DOMAINS[half].training, DOMAINS[half].evaluation, DOMAINS[half].attacks, DOMAINS[half].insight
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unready = f"{place}.unready"
    listening.bind(unready)
    Path(unready).chmod(0o600)
    listening.listen()
    Path(unready).rename(place)  # a stage connects as soon as the socket has this name
    serve(listening)


if __name__ == "__main__":
    main()
