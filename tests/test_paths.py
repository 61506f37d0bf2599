"""Paths of a project: documented in data/README.md, and removed by `make clean` if the pipeline can make them again."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cloning import ROOT
from cvnlp.paths import ProjectPaths, RunPaths

DATA_README = (ROOT / "data/README.md").read_text(encoding="utf-8")
BY_HAND = {"raw", "own"}


def paths_in_data() -> set[Path]:
    """All paths below data/ that the package has."""
    project = ProjectPaths()
    run = project.run("cnn", "mnist_sample")
    found = [project.prepared("mnist_sample")]
    for owner, kind in ((project, ProjectPaths), (run, RunPaths)):
        found += [getattr(owner, name) for name, value in vars(kind).items() if isinstance(value, property)]
    return {path for path in found if path.parts[0] == "data"}


IN_DATA = sorted({path.parts[1] for path in paths_in_data()})


def test_there_are_paths() -> None:
    assert {"raw", "prepared", "models", "resume"} <= set(IN_DATA)


def test_every_path_of_data_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `([\w.]+)/?` \|", DATA_README, re.MULTILINE)
    assert sorted(documented) == sorted({*IN_DATA, "own"})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile, and a file at every path of data/."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for path in [*paths_in_data(), Path("data/own/album"), Path("data/raw/mnist")]:
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        (tmp_path / path / "file").touch()
    (tmp_path / "data/README.md").touch()
    return tmp_path


def test_make_clean_keeps_only_what_the_pipeline_cannot_make(project: Path) -> None:
    subprocess.run(["make", "clean"], cwd=project, check=True, capture_output=True)
    assert {path.name for path in (project / "data").iterdir()} == {*BY_HAND, "README.md"}
    assert (project / "data/own/album/file").exists()
    assert (project / "data/raw/mnist/file").exists()


def test_git_tracks_the_readme_of_data_and_nothing_else_there(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".gitignore", tmp_path)
    for path in (*paths_in_data(), Path("data/own/album")):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        (tmp_path / path / "file").touch()
    (tmp_path / "data/README.md").touch()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    listed = ["git", "ls-files", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert found.split() == [".gitignore", "data/README.md"]


@pytest.mark.parametrize("folder", [ROOT, ROOT / "benchmarks"])
def test_dvc_ignores_nothing_within_a_users_own_data(folder: Path) -> None:
    """A pattern without a slash at its start matches at any depth."""
    lines = (folder / ".dvcignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith(("#", "/"))] == []
