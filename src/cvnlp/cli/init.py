"""`cvnlp init`: a new project, with params filled in for a user's own pictures or text."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cvnlp import files
from cvnlp.cli.own_params import pictures_params, text_params

SOURCE = Path(__file__).parents[3]  # the folder of dvc.yaml
COPIED = ("src", "dvc.yaml", "Makefile", "pyproject.toml", "requirements.in", "requirements.lock", "LICENSE")
SCHEMA = "params.schema.json"  # named by the first line of params.yaml, for editors
HIDDEN = (".gitignore", ".dvcignore", ".dvc/config", ".dvc/offline_plots.html")
PAGES = ("data/README.md", "reports/tuning/README.md")


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new folder.")],
    *,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Pictures, in one folder for each class.")
    ] = None,
    text: Annotated[Path | None, typer.Option(metavar="FILE", help="A text file, or a folder of them.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Of data set and run.", show_default="from the file or folder")
    ] = None,
) -> None:
    """Start a project of your own: the pipeline, with params for your pictures or text.

    Looks at the data for sizes and classes, fills in params.yaml, and prints the commands that train and use the
    network. The data stay where they are.
    """
    if (pictures is None) == (text is None):
        raise ValueError("give either --pictures FOLDER or --text FILE")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: choose a new folder")
    if not (SOURCE / "dvc.yaml").is_file():
        raise ValueError(f"{SOURCE} has no dvc.yaml: run `cvnlp init` from an installation of the source tree")
    params, run = pictures_params(pictures, name) if pictures else text_params(text or Path(), name)
    _copy(folder)
    files.write_text(folder / "params.yaml", f"# yaml-language-server: $schema={SCHEMA}\n{params}")
    in_git = _start_repository(folder)
    command = f"cvnlp predict {run} PICTURE" if pictures else f"cvnlp generate {run}"
    python = f"PATH={Path(sys.executable).parent}:$PATH"
    print(f"{folder / 'params.yaml'} is ready. Next:\n  cd {folder}\n  export {python}   # or `make setup`")
    print("" if in_git else "  dvc config core.no_scm true\n", end="")
    print(f"  dvc repro          # trains and evaluates {run}, and writes reports/report.html\n  {command}")


def _copy(folder: Path) -> None:
    """The pipeline and its code, without results, tests and benchmarks."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in (*COPIED, SCHEMA, *HIDDEN, *PAGES):
        source, target = SOURCE / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        elif source.is_file():
            shutil.copyfile(source, target)


def _start_repository(folder: Path) -> bool:
    """Start a git repository, in which DVC works; False without git."""
    try:
        return subprocess.run(["git", "init", "--quiet", str(folder)], check=False).returncode == 0
    except FileNotFoundError:
        return False
