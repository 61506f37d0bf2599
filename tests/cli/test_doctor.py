"""`cvnlp doctor`: each fault is found, with the command that mends it."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cvnlp import cli, files
from cvnlp.cli import doctor

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CVNLP_MIRROR", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda program: f"/usr/bin/{program}")
    return tmp_path


def examine(capsys: Any) -> tuple[dict[str, Any], int]:
    """The findings by subject, and the exit code."""
    code = 0
    try:
        cli.main(["doctor", "--json"])
    except SystemExit as end:
        code = int(str(end.code))
    return {row["subject"]: row for row in json.loads(capsys.readouterr().out)}, code


def test_nothing_is_wrong(project: Path, capsys: Any) -> None:
    found, code = examine(capsys)
    assert [row for row in found.values() if row["state"] == "wrong"] == [] and code == 0
    assert found["params.yaml"]["detail"] == "4 data sets, 11 runs"
    cli.main(["doctor"])
    assert "✓ params.yaml: 4 data sets, 11 runs" in capsys.readouterr().out


def test_a_missing_program(project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda program: None)
    found, code = examine(capsys)
    assert code == 1 and found["dvc"]["state"] == "wrong" and "make setup" in found["dvc"]["remedy"]


def test_other_versions_of_packages(project: Path, capsys: Any) -> None:
    files.write_text(project / "requirements.in", "numpy\nno-such-package\npandas # tables\n")
    lock = "numpy==0.1 \\\n    --hash=sha256:0\nno-such-package==1.0\npandas==9 ; python_full_version < '3.0'\n"
    files.write_text(project / "requirements.lock", lock)
    found, code = examine(capsys)
    assert code == 1
    detail = found["packages"]["detail"]
    assert detail.startswith("numpy ") and detail.endswith(" instead of 0.1, no-such-package is not installed")


def test_wrong_params(project: Path, capsys: Any) -> None:
    text = (project / "params.yaml").read_text(encoding="utf-8")
    files.write_text(project / "params.yaml", text.replace("epochs: 28", "epochs: -1"))
    found, code = examine(capsys)
    assert code == 1 and "runs.cnn.train.epochs" in found["params"]["detail"]


def test_a_mirror_that_does_not_exist(project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVNLP_MIRROR", str(project / "none"))
    found, code = examine(capsys)
    assert code == 1 and found["mirror"]["detail"].endswith("none is no folder")


@pytest.mark.parametrize(("pid", "state"), [(2**22 + 1, "wrong"), (1, "ok")])
def test_a_lock_of_a_process_that_has_ended(project: Path, capsys: Any, pid: int, state: str) -> None:
    files.write_json(project / ".dvc/tmp/rwlock", {"data/prepared": {"write": {"pid": pid, "cmd": "dvc repro"}}})
    found, code = examine(capsys)
    assert found["DVC"]["state"] == state and code == (state == "wrong")


def test_a_database_of_another_version(
    project: Path, capsys: Any, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(empty_database, project / "mlflow.db")
    assert examine(capsys)[0]["MLflow"]["state"] == "ok"
    with sqlite3.connect(project / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    found, code = examine(capsys)
    assert code == 1 and "mlflow db upgrade sqlite:///" in found["MLflow"]["remedy"]


def test_a_damaged_database_and_a_server_that_is_down(
    project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "mlflow.db").write_text("no database " * 100)
    assert "cannot be read" in examine(capsys)[0]["MLflow"]["detail"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "does not answer" in examine(capsys)[0]["MLflow"]["detail"]


def test_a_full_disk(project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_DISK", 2**80)
    found, code = examine(capsys)
    assert code == 1 and "dvc gc" in found["disk"]["remedy"]
