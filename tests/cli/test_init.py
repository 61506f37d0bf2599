"""`cvnlp init`: a project with valid params for a user's data, which DVC accepts."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvnlp import cli
from cvnlp.params import check_own_paths, read_params


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes, one with a space and a quotation mark in the path; grey pictures of 40 x 52."""
    for name in ("cat", "it's a dog"):
        (tmp_path / "my pets" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((40, 52), 9 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "my pets" / name / f"{number}.png")
    return tmp_path / "my pets"


def refused(*arguments: Any) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(["init", *map(str, arguments)])
    return str(end.value.code)


def test_params_follow_from_the_pictures(pictures: Path, tmp_path: Path, capsys: Any) -> None:
    cli.main(["init", str(tmp_path / "project"), "--pictures", str(pictures)])
    params = tmp_path / "project/params.yaml"
    settings = read_params(params)
    check_own_paths(params, settings)
    assert (params.parent / params.read_text().splitlines()[0].partition("$schema=")[2]).is_file()
    own = settings.own["my_pets"]
    assert (own.path, own.size, own.colour) == (str(pictures), [32, 32], "grey")
    assert settings.runs["my_pets_cnn"].train.epochs == 40
    assert "cvnlp predict my_pets_cnn PICTURE" in capsys.readouterr().out


def test_dvc_accepts_the_project(pictures: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    cli.main(["init", str(project), "--pictures", str(pictures), "--name", "pets"])
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "--name-only"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        "check",
        "prepare_own@pets",
        *(f"{stage}@pets_cnn" for stage in ("train", "evaluate", "attack", "insight", "seeds")),
        "transfer",
        "report",
    ]
    assert not list(project.rglob("__pycache__"))


@pytest.mark.parametrize(("size", "tokens", "hidden"), [(1000, "characters", 128), (500_000, "characters", 256)])
def test_params_follow_from_the_text(tmp_path: Path, size: int, tokens: str, hidden: int) -> None:
    (tmp_path / "Letters 1.txt").write_text("a word\n" * (size // 7), encoding="utf-8")
    cli.main(["init", str(tmp_path / "project"), "--text", str(tmp_path / "Letters 1.txt")])
    settings = read_params(tmp_path / "project/params.yaml")
    assert settings.own["letters_1"].tokens == tokens
    assert settings.runs["letters_1_lstm"].model.hidden_size == hidden


def test_a_folder_with_files_is_refused(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used/file").touch()
    assert "is not empty" in refused(tmp_path / "used", "--pictures", pictures)


def test_either_pictures_or_text(pictures: Path, tmp_path: Path) -> None:
    assert "either --pictures" in refused(tmp_path / "new")
    assert "either --pictures" in refused(tmp_path / "new", "--pictures", pictures, "--text", pictures)


def test_data_that_cannot_be_used_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "new", "--pictures", tmp_path / "empty").startswith("error: ")
    assert "does not exist" in refused(tmp_path / "new", "--text", tmp_path / "none.txt")
    assert not (tmp_path / "new").exists()
