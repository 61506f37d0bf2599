"""`cvnlp clean`: remove the state of interrupted trainings."""

import argparse
from pathlib import Path

from cvnlp.catalogue import format_bytes
from cvnlp.paths import ProjectPaths
from cvnlp.training import resume
from cvnlp.training.resume import ResumeFolder


def add_clean(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "clean",
        help="remove the state of interrupted trainings",
        description="Remove the folders of data/resume/ that belong to other params, data or code than the current "
        "ones: no training can be resumed from them.",
        epilog=f"Without this command such a folder is removed when its run is trained {resume.KEEP_DAYS} days or more "
        "after its last use.",
    )
    parser.add_argument("--older-than", type=_days, default=0.0, metavar="DAYS", help="only those not used for so long")
    parser.add_argument("--all", action="store_true", dest="everything", help="also those that can be resumed")
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, only list")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml (default: the current one)")
    parser.set_defaults(command=clean)


def clean(root: Path, *, older_than: float, everything: bool, dry_run: bool) -> None:
    """Remove folders and print each with its size and last use, then the total."""
    paths = ProjectPaths(root)
    folders = [one for run in sorted(paths.resume.glob("*")) for one in resume.list_folders(run)]
    old = [folder for folder in folders if folder.days >= older_than]
    kept = [] if everything else _resumable(paths, old)
    removed = [folder for folder in old if folder not in kept]
    for folder in removed:
        if not dry_run:
            resume.remove(folder.path)
        print(f"{'would remove' if dry_run else 'removed'} {_describe(folder)}")
    for folder in kept:
        print(f"kept {_describe(folder)}: can be resumed; --all removes it, too")
    print(f"{len(removed)} folders, {format_bytes(sum(folder.size for folder in removed))}")


def _resumable(paths: ProjectPaths, folders: list[ResumeFolder]) -> list[ResumeFolder]:
    """The folders of the trainings that params.yaml describes now; all of a run whose prepared data is missing."""
    from cvnlp import provenance
    from cvnlp.params import read_params

    keys = {}
    for name, run in read_params(paths.params).runs.items():
        data = paths.prepared(run.dataset)
        keys[name] = provenance.training_fingerprint(run, data) if (data / "facts.json").is_file() else None
    return [folder for folder in folders if folder.run in keys and keys[folder.run] in (None, folder.path.name)]


def _describe(folder: ResumeFolder) -> str:
    return f"{folder.path} ({format_bytes(folder.size)}, {folder.used})"


def _days(text: str) -> float:
    days = float(text)
    if days < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return days
