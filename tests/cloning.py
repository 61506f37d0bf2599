"""A clone of the project in its own folder, where tests run commands as a user does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from ruamel.yaml import YAML

from cvnlp import files
from fork_server import ForkServer

ROOT = Path(__file__).parents[1]
YAML_FILE = YAML()
RESULTS = ("reports/", "benchmarks/reports/")
PAGES = ("reports/tuning/README.md",)  # no results, though next to them


class Clone:
    """A git clone of the project with its own params, where commands run as a user runs them."""

    ran: list[str]

    def __init__(self, folder: Path, mirror: Path, server: ForkServer | None = None) -> None:
        """`server`: from which DVC and its stages are forked, if not None."""
        self.folder, self.server = folder, server
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "GIT_"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CVNLP_MIRROR": str(mirror),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def __call__(self, *command: str, check: bool = True) -> str:
        done = self._run(command)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def _run(self, command: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        if self.server and command[0] == "dvc":
            return self.server.run(*command, cwd=self.folder, env=self.environment)
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def commit(self) -> None:
        self("git", "add", "--all")
        self("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "made")

    def repro(self, *arguments: str) -> list[str]:
        """Run `dvc repro`; returns the stages that it ran."""
        return re.findall(r"Running stage '(.+?)'", self("dvc", "repro", *arguments))

    def change(self, *keys: str, value: Any) -> None:
        params = YAML_FILE.load(self.folder / "params.yaml")
        block = params
        for key in keys[:-1]:
            block = block[key]
        block[keys[-1]] = value
        YAML_FILE.dump(params, self.folder / "params.yaml")

    def digests(self) -> dict[str, str]:
        """SHA-256 of every model, score and table."""
        folders = (
            "data/models",
            "data/evaluations",
            "data/attacks",
            "data/insights",
            "data/seeds",
            "reports/seeds",
            "reports/scores",
            "reports/attacks",
            "reports/insights",
            "reports/history",
        )
        paths = [path for folder in folders for path in sorted((self.folder / folder).rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.folder)): files.sha256(path) for path in paths}

    def mlflow(self) -> tuple[MlflowClient, str]:
        """A client of a copy of the database: a client of the original keeps reading a removed one."""
        copy = self.folder.parent / f"{len(list(self.folder.parent.iterdir()))}.db"
        shutil.copy(self.folder / "mlflow.db", copy)
        client = MlflowClient(f"sqlite:///{copy}")
        return client, client.get_experiment_by_name("cvnlp").experiment_id


def clone_project(place: Path, server: ForkServer | None = None) -> Clone:
    """The files of the working tree, committed, in a folder with a space in its name, next to an empty mirror."""
    folder = place / "a clone"
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        result = (name.startswith(RESULTS) and name not in PAGES) or name.endswith("dvc.lock")
        if (ROOT / name).is_file() and not result:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (place / "mirror").mkdir(exist_ok=True)
    clone = Clone(folder, place / "mirror", server)
    clone("git", "init", "--quiet")
    clone.commit()
    return clone
