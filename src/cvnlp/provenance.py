"""Provenance of a result: code, data and machine, and the fingerprint of a training."""

import ast
import contextlib
import datetime
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from cvnlp import files
from cvnlp.params.runs import LanguageRun, VisionRun

PACKAGE = Path(__file__).parent
# What decides the result of a training: the deps of the stage `train` in dvc.yaml, and a test compares them
TRAINING_CODE = (
    "stages/train.py",
    "params",
    "files.py",
    "domains.py",
    "data/prepared",
    "networks.py",
    "launch",
    "training",
    "{domain}/batches.py",
    "{domain}/models",
    "{domain}/training",
)
CPUINFO = Path("/proc/cpuinfo")
# of the instruction set, which decide the speed of matrix products; the fastest first
EXTENSIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")


def training_tags(fingerprint: str) -> dict[str, str]:
    """Tags of the training that starts now: its fingerprint, the commit and whether code or settings differ from it,
    and DVC's names of stage and experiment, as far as they exist.
    """
    tags = {"training": fingerprint}
    if commit := git(Path(), "rev-parse", "HEAD"):
        tags |= {"git.commit": commit.strip(), "git.dirty": str(_differs())}
    names = {
        "dvc.stage": "DVC_STAGE",
        "dvc.experiment": "DVC_EXP_NAME",
        "dvc.experiment.baseline": "DVC_EXP_BASELINE_REV",
    }
    return tags | {tag: os.environ[variable] for tag, variable in names.items() if os.environ.get(variable)}


def _differs() -> bool:
    """Whether code, params.yaml or dvc.yaml differ from the commit. Results do during every `dvc repro`."""
    return bool(_code().get("changed")) or bool(git(Path(), "status", "--porcelain", "--", "params.yaml", "dvc.yaml"))


def _code() -> dict[str, Any]:
    """The commit of this package, and whether its files differ from it; empty outside a repository."""
    commit = git(PACKAGE, "rev-parse", "HEAD")
    return {"commit": commit.strip(), "changed": bool(git(PACKAGE, "status", "--porcelain", "."))} if commit else {}


def git(root: Path, *arguments: str) -> str | None:
    """The output of git in the folder `root`; None if it fails, as outside a repository."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.decode("utf-8")


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
    """Model of the processor and, on Linux, its fastest extension: with one model name, speed can differ fourfold."""
    with contextlib.suppress(OSError):
        fields = [line.partition(":") for line in CPUINFO.read_text(encoding="utf-8").splitlines()]
        values = {name.strip(): value.strip() for name, _, value in fields}
        extensions = [one for one in EXTENSIONS if one in values.get("flags", "").split()]
        if "model name" in values:
            return " with ".join([values["model name"], *extensions[:1]])
    return platform.processor() or platform.machine()


def model_digest(folder: Path) -> str:
    """SHA-256 over the files of a model, which identifies its run in MLflow."""
    return digest([files.sha256(path) for path in sorted(folder.iterdir())])


def training_fingerprint(run: VisionRun | LanguageRun, data: Path) -> str:
    """16 hexadecimal digits of everything that decides a training: its params, the prepared data and the code."""
    params = run.model_dump(include={"domain", "seed", "model", "train"}, exclude={"train": {"save_every"}})
    code = code_digest([PACKAGE / part.format(domain=run.domain) for part in TRAINING_CODE])
    return digest([params, files.sha256(data / "facts.json"), code])[:16]


def code_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of the Python files `paths` and of those in the folders among them, by their syntax trees.

    So it does not depend on docstrings, comments and layout, but on the version of Python.
    """
    modules = [module for path in paths for module in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    return digest([[path.name, _syntax_tree(path)] for path in modules])


def _syntax_tree(path: Path) -> str:
    """The module as text, without docstrings and other statements that are only a string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [statement for statement in body if not _is_string(statement)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
