"""Locks of DVC's commands, and stages that still run though their command was killed (docs/share.md)."""

import json
from pathlib import Path

import psutil

STAGES = "cvnlp.stages."
COMMANDS = ("dvc", "cvnlp")  # programs and modules that may hold a lock begin with this


def lock_holders(rwlock: Path) -> dict[int, str]:
    """Process id -> command in DVC's file of locks, {} without the file; ValueError if DVC cannot read it."""
    if not rwlock.is_file():
        return {}
    try:
        locks = json.loads(rwlock.read_text(encoding="utf-8"))
        readers = [one for readers in locks.get("read", {}).values() for one in readers]
        return {int(one["pid"]): str(one["cmd"]) for one in [*locks.get("write", {}).values(), *readers]}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{rwlock} is damaged, as a killed process may leave it") from None


def is_command(pid: int) -> bool:
    """Whether the process is one of DVC or of this project, and not another that has got the id since."""
    return any(Path(word).name.startswith(COMMANDS) for word in _command_line(pid))


def stages_without_dvc(root: Path) -> dict[int, str]:
    """Process id -> command of stages that run in the project's folder and that no DVC command has started."""
    folder, found = str(root.resolve()), {}
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        stage = next((place for place, word in enumerate(words) if word.startswith(STAGES)), None)
        if stage is not None and process.info["cwd"] == folder and not _is_started_by_dvc(process):
            found[process.pid] = " ".join(words[stage:])
    return found


def _is_started_by_dvc(process: psutil.Process) -> bool:
    try:
        return any(is_command(parent.pid) for parent in process.parents())
    except psutil.NoSuchProcess:
        return True  # it has just ended


def _command_line(pid: int) -> list[str]:
    """Empty if the process has ended; that of a process which may not be read is taken for one of DVC."""
    try:
        return psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return []
    except psutil.AccessDenied:
        return list(COMMANDS)
