"""`cvnlp clean`: remove the state of interrupted trainings, and results of runs that are not in params.yaml."""

import argparse
import shutil
from pathlib import Path

from cvnlp.catalogue import format_bytes
from cvnlp.paths import ProjectPaths
from cvnlp.training import resume
from cvnlp.training.resume import ResumeFolder


def add_clean(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "clean",
        help="remove results of runs that are not in params.yaml, and the state of interrupted trainings",
        description="Remove files and folders in reports/ and data/ of runs and data sets that are not in params.yaml, "
        "and the folders of data/resume/ that belong to other params, data or code than the current ones: no training "
        "can be resumed from them.",
        epilog="Without this command a folder of data/resume/ is removed when its run is trained "
        f"{resume.KEEP_DAYS} days or more after its last use.",
    )
    parser.add_argument(
        "--older-than", type=_days, default=0.0, metavar="DAYS", help="only states not used for so long"
    )
    parser.add_argument("--all", action="store_true", dest="everything", help="also states that can be resumed")
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, only list")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml (default: the current one)")
    parser.set_defaults(command=clean)


def clean(root: Path, *, older_than: float, everything: bool, dry_run: bool) -> None:
    """Remove results and folders, print each, the folders with size and last use, then the number and size of these."""
    paths = ProjectPaths(root)
    _remove_results(paths, dry_run=dry_run)
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


def _remove_results(paths: ProjectPaths, *, dry_run: bool) -> None:
    """Remove what is left of runs and data sets that are not in params.yaml."""
    from cvnlp.params import read_params

    settings = read_params(paths.params)
    for path, name in paths.leftovers(settings.runs, settings.all_datasets).items():
        if not dry_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        print(f"{'would remove' if dry_run else 'removed'} {path}: {name} is not in params.yaml")


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
