"""What a result came from: code, data, machine."""

import contextlib
import datetime
import hashlib
import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from cvnlp import files
from cvnlp.params.runs import Run

CPUINFO = Path("/proc/cpuinfo")
EXTENSIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")  # that decide the speed of products, the fastest first


def git_tags() -> dict[str, str]:
    """The commit, whether files differ from it, and DVC's names of stage and experiment, where there are any."""
    commit = _git("rev-parse", "HEAD")
    tags = (
        {"git.commit": commit, "git.dirty": str(bool(_git("status", "--porcelain", "--untracked-files=no")))}
        if commit
        else {}
    )
    names = {
        "dvc.stage": "DVC_STAGE",
        "dvc.experiment": "DVC_EXP_NAME",
        "dvc.experiment.baseline": "DVC_EXP_BASELINE_REV",
    }
    return tags | {tag: os.environ[variable] for tag, variable in names.items() if os.environ.get(variable)}


def _code() -> dict[str, Any]:
    """The commit of this package, and whether its files differ from it; nothing outside a repository."""
    package = str(Path(__file__).parent)
    commit = _git("-C", package, "rev-parse", "HEAD")
    return {"commit": commit, "changed": bool(_git("-C", package, "status", "--porcelain", "."))} if commit else {}


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine() -> dict[str, Any]:
    """Processor, system, versions, commit and date, for the file of durations."""
    return _code() | {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """Its model and what it multiplies by, which Linux tells in a file and other systems, the model alone, to Python.

    Servers' processors of one name may differ fourfold in that.
    """
    with contextlib.suppress(OSError):
        fields = [line.partition(":") for line in CPUINFO.read_text(encoding="utf-8").splitlines()]
        told = {name.strip(): value.strip() for name, _, value in fields}
        extensions = [one for one in EXTENSIONS if one in told.get("flags", "").split()]
        if "model name" in told:
            return " with ".join([told["model name"], *extensions[:1]])
    return platform.processor() or platform.machine()


def model_digest(folder: Path) -> str:
    """SHA-256 over the model's files, by which MLflow's runs are found."""
    return digest([files.sha256(path) for path in sorted(folder.iterdir())])


def training_fingerprint(run: Run, data: Path) -> str:
    """SHA-256 over all that decides a training: its params, its data and the code."""
    package = Path(__file__).parent
    code = [files.sha256(path) for path in sorted(package.rglob("*.py"))]
    params = run.model_dump(include={"domain", "seed", "model", "train"})
    return digest([params, files.sha256(data / "facts.json"), code])


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
