"""DVC and the stages forked from a process that has imported what they import: the same code without the start-up.

The process is the server of `cvnlp repro` (src/cvnlp/cli/stage_server.py) with DVC, Matplotlib and others imported as
well. It runs the code of one `src`; a clone that changes the code of a stage needs a server of its own, or none.
"""

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PR_SET_PDEATHSIG = 1  # of Linux
IMPORTED = (
    *("dvc.cli.parser", "dvc.repo.reproduce", "dvc.repo.index", "dvc.repo.stage", "dvc.cachemgr", "dvc.data_cloud"),
    *("scmrepo.git", "dulwich.index", "networkx", "sklearn.metrics", "captum.attr"),
    *("cvnlp.report.build", "cvnlp.vision.report", "cvnlp.language.report"),
)


class ForkServer:
    """A server that runs until `stop`."""

    def __init__(self, src: Path) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="cvnlp-")  # a socket's path has at most 107 characters
        self.place = Path(self.folder.name) / "socket"
        environment = os.environ | {"PYTHONPATH": str(src)}
        command = [sys.executable, __file__, str(self.place)]
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def environment(self) -> dict[str, str]:
        """The variable by which stages and recorders hand over, once the server has imported everything."""
        from cvnlp.hand_over import SOCKET

        while not self.place.exists():
            assert self.process.poll() is None, "the server has ended"
            time.sleep(0.05)
        return {SOCKET: str(self.place)}

    def run(self, module: str, *arguments: str, cwd: Path, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        """As subprocess.run of `python -m <module>`; stages that it starts are forked, too."""
        request = {
            "arguments": [module, *arguments],
            "folder": str(cwd),
            "environment": env | self.environment(),
            "path": [path for path in sys.path if Path(path).parent != ROOT],  # without src and tests
        }
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            code = self._request(request, [output, errors])
            texts = [(stream.seek(0), stream.read())[1] for stream in (output, errors)]
        return subprocess.CompletedProcess([module, *arguments], code, *texts)

    def _request(self, request: dict[str, Any], outputs: list[Any]) -> int:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, Path(os.devnull).open() as nothing:
            connection.connect(str(self.place))
            streams = array.array("i", [stream.fileno() for stream in (nothing, *outputs)])
            connection.sendmsg([b"0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams.tobytes())])
            connection.sendall(json.dumps(request).encode() + b"\n")
            answers = connection.makefile("r", encoding="utf-8").read().split()  # the process's id, then its exit code
        assert len(answers) == 2, answers
        return int(answers[1])


@contextlib.contextmanager
def start_fork_server(src: Path = ROOT / "src") -> Iterator[ForkServer | None]:
    """A server of the code in `src`; None where it cannot run: it needs Linux."""
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    server = ForkServer(src)
    try:
        yield server
    finally:
        server.stop()


def run_module(
    server: ForkServer | None, module: str, *arguments: str, cwd: Path, env: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m <module>`, forked from the server if there is one."""
    if server:
        return server.run(module, *arguments, cwd=cwd, env=env)
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def main() -> None:
    import ctypes
    import importlib

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # also if the tests are killed
    for name in IMPORTED:
        importlib.import_module(name)
    from cvnlp.cli import stage_server

    stage_server.main()


if __name__ == "__main__":
    main()
