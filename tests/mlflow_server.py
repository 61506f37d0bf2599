"""A real MLflow server on this machine, which a test can stop and start again."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

WAIT = 120  # seconds for a server to start


class Server:
    """The server of a SQLite database in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        self.start()

    def start(self) -> None:
        words = ["server", "--host", "127.0.0.1", "--port", self.host.partition(":")[2], "--workers", "1"]
        words += ["--backend-store-uri", f"sqlite:///{self.folder}/served.db"]
        words += ["--artifacts-destination", str(self.folder / "artifacts")]
        with (self.folder / "server.log").open("a") as log:
            command = [sys.executable, "-m", "mlflow", *words]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        deadline = time.monotonic() + WAIT
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "server.log").read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return requests.get(f"http://{self.host}/health", timeout=60).ok
        except requests.RequestException:
            return False

    def stop(self) -> None:
        """At once, as a machine that fails: the server and the processes that it has started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
