"""`cvnlp check` finds mistakes in params.yaml."""

import shutil
from pathlib import Path

import pytest

from cvnlp import cli, files

PARAMS = Path(__file__).parents[2] / "params.yaml"


def test_valid_params_are_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(PARAMS, tmp_path)
    cli.main(["check", "--root", str(tmp_path)])
    assert "params.yaml is valid: " in capsys.readouterr().out


def test_a_mistake_ends_with_its_key_and_range(tmp_path: Path) -> None:
    text = PARAMS.read_text(encoding="utf-8")
    files.write_text(tmp_path / "params.yaml", text.replace("\nruns:\n", "\nruns:\n  a-b: {}\n"))
    with pytest.raises(SystemExit, match=r"error: .*params\.yaml: runs\.a-b"):
        cli.main(["check", "--root", str(tmp_path)])


def test_a_subfolder_leads_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(PARAMS, tmp_path)
    (tmp_path / "data/own").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "data/own")
    with pytest.raises(SystemExit, match=f"no such file; start in the project's folder: cd {tmp_path}"):
        cli.main(["check"])
