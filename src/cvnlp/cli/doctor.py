"""`cvnlp doctor`: what is wrong with the environment or the project, and the command that mends it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from cvnlp.cli.options import Json, Root
from cvnlp.paths import ProjectPaths

OK, NOTE, WRONG = "ok", "note", "wrong"
SIGNS = {OK: "[green]✓[/]", NOTE: "[yellow]•[/]", WRONG: "[red]✗[/]"}
FREE_DISK = 2 * 2**30  # bytes that a run of the pipeline needs with some room
PROGRAMS = {"git": "install git", "dvc": "put .venv/bin first on PATH, or run `make setup`"}
MIRROR = "CVNLP_MIRROR"


@dataclass(frozen=True)
class Finding:
    """`remedy`: the command or step that mends what is wrong."""

    subject: str
    state: str
    detail: str
    remedy: str = ""


def doctor(as_json: Json = False, root: Root = Path()) -> None:
    """Find what is wrong with environment or project: versions, devices, mirror, locks, MLflow, disk.

    What is wrong comes with the command that mends it. The exit code is 1 if something is wrong.
    """
    project = ProjectPaths(root)
    found = [finding for check in CHECKS for finding in _guarded(check, project)]
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        _print(found)
    if any(finding.state == WRONG for finding in found):
        raise typer.Exit(1)


def _print(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for finding in found:
        console.print(f"{SIGNS[finding.state]} {finding.subject}: {escape(finding.detail)}", soft_wrap=True)
        if finding.remedy:
            console.print(f"    → {escape(finding.remedy)}", soft_wrap=True)


def _guarded(check: "Check", project: ProjectPaths) -> Iterator[Finding]:
    """The findings of a check; an error of the check itself is one."""
    try:
        yield from check(project)
    except (OSError, ValueError, ImportError) as error:
        subject = check.__name__.removeprefix("_check_").replace("_", " ")
        yield Finding(subject, WRONG, " ".join(str(error).split()))


def _check_python(project: ProjectPaths) -> Iterator[Finding]:
    yield Finding("Python", OK, f"{'.'.join(map(str, sys.version_info[:3]))} in {sys.prefix}")
    for program, remedy in PROGRAMS.items():
        place = shutil.which(program)
        yield Finding(program, OK, place) if place else Finding(program, WRONG, "not found", remedy)


def _check_packages(project: ProjectPaths) -> Iterator[Finding]:
    """The installed versions against requirements.lock."""
    lock = project.root / "requirements.lock"
    if not lock.is_file():
        yield Finding("packages", NOTE, f"{lock} does not exist: versions are not compared")
        return
    pinned = _pinned(lock)
    listed = re.findall(r"^[\w.-]+", (project.root / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    wrong = [line for name in listed if name in pinned and (line := _difference(name, pinned[name]))]
    if wrong:
        yield Finding("packages", WRONG, ", ".join(wrong), "`make setup`, or `uv pip sync requirements.lock`")
    else:
        yield Finding("packages", OK, f"{len(listed)} have the versions of requirements.lock")


def _pinned(lock: Path) -> dict[str, str]:
    """Package -> version in a lock file, for this version of Python."""
    from packaging.requirements import Requirement

    lines = (line.rstrip(" \\") for line in lock.read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if re.match(r"[\w.-]+==", line)]
    return {one.name: str(one.specifier).removeprefix("==") for one in found if not one.marker or one.marker.evaluate()}


def _difference(name: str, pinned: str) -> str:
    """What differs from the pinned version, empty if nothing; a local build such as +cpu is the same version."""
    from importlib import metadata

    try:
        found = metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    return "" if found == pinned else f"{name} {found} instead of {pinned}"


def _check_device(project: ProjectPaths) -> Iterator[Finding]:
    from cvnlp import networks

    found = networks.capabilities()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", OK, f"{cores} cores, bfloat16: {found['bfloat16']}")
    if "GPU" in found:
        yield Finding("GPU", OK, found["GPU"])
    else:
        yield Finding("GPU", NOTE, "none that torch can use; the default pipeline needs none")


def _check_params(project: ProjectPaths) -> Iterator[Finding]:
    from cvnlp.params import check_own_paths, read_params

    settings = read_params(project.params)
    check_own_paths(project.params, settings)
    yield Finding("params.yaml", OK, f"{len(settings.all_datasets)} data sets, {len(settings.runs)} runs")
    left = project.leftovers(settings.runs, settings.all_datasets)
    if left:
        yield Finding("leftovers", NOTE, f"results of {', '.join(sorted({*left.values()}))}", "`cvnlp clean`")


def _check_mirror(project: ProjectPaths) -> Iterator[Finding]:
    given = os.environ.get(MIRROR)
    if not given:
        yield Finding("mirror", OK, f"{MIRROR} is not set: data sets come from their own URLs")
    elif given.startswith(("http:", "https:")) or Path(given).is_dir():
        yield Finding("mirror", OK, given)
    else:
        yield Finding("mirror", WRONG, f"{given} is no folder", f"correct {MIRROR}, or `unset {MIRROR}`")


def _check_locks(project: ProjectPaths) -> Iterator[Finding]:
    """DVC's locks of running commands, which a killed process leaves behind."""
    import psutil

    from cvnlp.cli import locks

    path = project.root / ".dvc/tmp/rwlock"
    try:
        holders = locks.lock_holders(path)
    except ValueError as error:
        yield Finding("DVC", WRONG, str(error), f"`rm {path}`, when no DVC command runs")
        return
    ended = sorted(pid for pid in holders if not psutil.pid_exists(pid))
    others = sorted(pid for pid in holders if pid not in ended and not locks.is_command(pid))
    running = sorted(set(holders) - {*ended, *others})
    if others:
        text = f"locked by processes that have ended; their ids are now those of other programs: {_listed(others)}"
        yield Finding("DVC", WRONG, text, f"`rm {path}`, when no DVC command runs")
    elif ended:
        text = f"locks are left of processes that have ended: {_listed(ended)}; the next DVC command removes them"
        yield Finding("DVC", NOTE, text)
    else:
        yield Finding("DVC", OK, f"locked by running commands: {_listed(running)}" if running else "no locks")


def _listed(pids: list[int]) -> str:
    return ", ".join(map(str, pids))


def _check_stages(project: ProjectPaths) -> Iterator[Finding]:
    """Stages whose DVC was killed: a second one would write the same files."""
    from cvnlp.cli import locks

    for pid, command in sorted(locks.stages_without_dvc(project.root).items()):
        text = f"{command} runs without DVC, whose command was perhaps killed (process {pid})"
        yield Finding("stages", NOTE, text, f"wait for it, or `kill {pid}`, before the next `dvc repro`")


def _check_mlflow(project: ProjectPaths) -> Iterator[Finding]:
    from cvnlp.tracking.health import check_store

    try:
        yield Finding("MLflow", OK, check_store())
    except ConnectionError as error:
        detail, _, remedy = str(error).rpartition(": ")
        yield Finding("MLflow", WRONG, detail, remedy)


def _check_runs(project: ProjectPaths) -> Iterator[Finding]:
    """What MLflow lacks or shows wrongly; nothing if its store cannot be used, which is another finding."""
    from cvnlp.params import read_params
    from cvnlp.tracking import health

    try:
        health.check_store()
    except ConnectionError:
        return
    orphaned, incomplete = health.check_runs(read_params(project.params), project)
    if orphaned:
        text = f"{', '.join(orphaned)}: shown as running, but the process has ended"
        yield Finding("MLflow runs", NOTE, text, "the next training or report marks them as killed")
    if incomplete:
        text = f"{', '.join(incomplete)}: missing or not up to date in MLflow"
        yield Finding("MLflow runs", NOTE, text, "`dvc repro --force --single-item report`")


def _check_disk(project: ProjectPaths) -> Iterator[Finding]:
    free = shutil.disk_usage(project.root).free
    text = f"{free / 2**30:.1f} GiB free"
    remedy = "`dvc gc --workspace` removes cached results that params.yaml no longer needs"
    yield Finding("disk", OK, text) if free >= FREE_DISK else Finding("disk", WRONG, text, remedy)


def _check_git(project: ProjectPaths) -> Iterator[Finding]:
    inside = subprocess.run(["git", "-C", str(project.root), "rev-parse"], capture_output=True, check=False)
    if inside.returncode == 0:
        yield Finding("repository", OK, "git")
    else:
        yield Finding("repository", NOTE, "no git repository", "`git init`, or `dvc config core.no_scm true`")


Check = Callable[[ProjectPaths], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    *(_check_python, _check_packages, _check_device, _check_params, _check_git),
    *(_check_mirror, _check_locks, _check_stages, _check_mlflow, _check_runs, _check_disk),
)
