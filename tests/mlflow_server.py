"""A real MLflow server on this machine, which a test can stop and start again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

WAIT = 120  # seconds for a server to start


class Server:
    """A server with its files in `folder`.

    `database`: its URL, by default a SQLite file in the folder; `artifacts`: where the server stores them, by default
    there, too; `environment`: variables of the server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: str | None = None,
        artifacts: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            **(environment or {}),
            "MLFLOW_BACKEND_STORE_URI": database or f"sqlite:///{folder}/served.db",
            "MLFLOW_ARTIFACTS_DESTINATION": artifacts or str(folder / "artifacts"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven more processes
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        self.start()

    def start(self) -> None:
        words = ["server", "--host", "127.0.0.1", "--port", self.host.partition(":")[2], "--workers", "1"]
        words += ["--serve-artifacts"]
        with (self.folder / "server.log").open("a") as log:
            command = [sys.executable, "-m", "mlflow", *words]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=self.environment, start_new_session=True
            )
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
