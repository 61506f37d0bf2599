"""A PostgreSQL server of the test's own: a private cluster in a folder, on a free port of this machine."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql")  # of Debian and Ubuntu: one folder per version
SERVICE_USER = "postgres"  # of the package; the server refuses to run as root
USER = "mlflow"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, None if PostgreSQL is not installed."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    place = shutil.which("initdb")
    return Path(place).resolve().parent if place else None


class Postgres:
    """A cluster with one database; `stop` as a machine that fails, after which `start` recovers the database."""

    def __init__(self, password: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="cvnlp-")  # pytest's own are closed to the service user
        folder = Path(self.folder.name)
        self.data, self.password = folder / "data", password
        found = programs()
        assert found is not None
        self.programs = found
        self.user = SERVICE_USER if os.geteuid() == 0 else None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        secret = folder / "password"
        secret.write_text(password)
        if self.user:
            account = pwd.getpwnam(self.user)
            for path in (folder, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
        access = ["--username", USER, "--auth", "scram-sha-256", "--pwfile", str(secret)]
        self._run("initdb", "--pgdata", str(self.data), "--no-sync", "--encoding", "UTF8", *access)
        self.start()

    def remove(self) -> None:
        self.stop()
        self.folder.cleanup()

    @property
    def uri(self) -> str:
        """Without the password: clients have it in the variable PGPASSWORD, as in docker/tracking.yaml."""
        return f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        log = str(self.data.parent / "log")
        self._run("pg_ctl", "--pgdata", str(self.data), "--options", options, "--wait", "--log", log, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", str(self.data), "--mode", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        # pg_ctl's server would keep a pipe open: its output goes to a file
        with (self.data.parent / "output").open("a") as output:
            done = subprocess.run(
                [str(self.programs / program), *arguments],
                user=self.user,
                extra_groups=[] if self.user else None,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        assert done.returncode == 0, (self.data.parent / "output").read_text()
