"""`cvnlp clean`: remove the state of interrupted trainings, and results of runs that are not in params.yaml."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvnlp.catalogue import format_bytes
from cvnlp.cli.options import Root
from cvnlp.paths import ProjectPaths

if TYPE_CHECKING:
    from cvnlp.training.resume import ResumeFolder


def clean(
    root: Root = Path(),
    *,
    older_than: Annotated[float, typer.Option(min=0, metavar="DAYS", help="Only states not used for so long.")] = 0.0,
    everything: Annotated[bool, typer.Option("--all", help="Also states that can be resumed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, only list.")] = False,
) -> None:
    """Remove results of runs that are not in params.yaml, and the state of interrupted trainings.

    Removes files and folders in reports/ and data/ of runs and data sets that are not in params.yaml, and the folders
    of data/resume/ that belong to other params, data or code than the current ones: no training can be resumed from
    them.
    """
    from cvnlp.training import resume

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


def _resumable(paths: ProjectPaths, folders: "list[ResumeFolder]") -> "list[ResumeFolder]":
    """The folders of the trainings that params.yaml describes now; all of a run whose prepared data is missing."""
    from cvnlp import provenance
    from cvnlp.params import read_params

    keys = {}
    for name, run in read_params(paths.params).runs.items():
        data = paths.prepared(run.dataset)
        keys[name] = provenance.training_fingerprint(run, data) if (data / "facts.json").is_file() else None
    return [folder for folder in folders if folder.run in keys and keys[folder.run] in (None, folder.path.name)]


def _describe(folder: "ResumeFolder") -> str:
    return f"{folder.path} ({format_bytes(folder.size)}, {folder.used})"
