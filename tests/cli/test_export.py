"""`cvnlp export`: the folder that it prints, and errors of one line."""

from pathlib import Path

import pytest

from cvnlp import cli
from make_models import save_model


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str]:
    code: int | str | None = 0
    try:
        cli.main(["export", *arguments])
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr().out


def test_the_files_of_the_new_folder_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save_model(tmp_path / "model", "vision", "linear")
    code, printed = run(capsys, str(source), str(tmp_path / "out"), "--format", "onnx")
    assert code == 0
    assert printed == f"{tmp_path}/out: README.md, classes.json, model.onnx\n"


def test_the_default_format_is_safetensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save_model(tmp_path / "model", "language", "ngram")
    code, _ = run(capsys, str(source), str(tmp_path / "out"))
    assert code == 0
    assert (tmp_path / "out/model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()


def test_a_refusal_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save_model(tmp_path / "model", "language", "ngram")
    code, printed = run(capsys, str(source), str(tmp_path / "out"), "--format", "pt2")
    assert str(code).startswith("error: the network 'ngram' cannot be exported as onnx or pt2") and printed == ""
    code, _ = run(capsys, str(source), str(tmp_path))
    assert code == f"error: the folder {tmp_path} is not empty; name a new one"


def test_an_unknown_format_is_a_wrong_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = run(capsys, str(tmp_path), str(tmp_path / "out"), "--format", "h5")
    assert code == 2
