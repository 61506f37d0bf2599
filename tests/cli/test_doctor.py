"""`cvnlp doctor`: each fault is found, with the command that mends it."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cvnlp import cli, files
from cvnlp.cli import doctor
from cvnlp.tracking import health

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


def write_lock(project: Path, pid: int) -> None:
    holder = {"pid": pid, "cmd": "dvc repro"}
    files.write_json(project / ".dvc/tmp/rwlock", {"write": {"data/prepared": holder}, "read": {"data/raw": [holder]}})


def test_a_lock_of_a_process_that_has_ended_is_left_to_dvc(project: Path, capsys: Any) -> None:
    write_lock(project, 2**22 + 1)  # above the largest id of a process
    found, code = examine(capsys)
    assert (found["DVC"]["state"], code) == ("note", 0) and "the next DVC command removes them" in found["DVC"][
        "detail"
    ]


def test_a_lock_whose_process_id_another_program_has_got(project: Path, capsys: Any) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        write_lock(project, other.pid)
        found, code = examine(capsys)
        assert other.stdin
        other.stdin.close()
    assert (found["DVC"]["state"], code) == ("wrong", 1) and "rm .dvc/tmp/rwlock" in found["DVC"]["remedy"]


def test_a_lock_of_a_running_command(project: Path, capsys: Any) -> None:
    with subprocess.Popen(["cat", "-", "dvc"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as command:
        write_lock(project, command.pid)
        found, code = examine(capsys)
        assert command.stdin
        command.stdin.close()
    assert (found["DVC"]["state"], code) == ("ok", 0) and str(command.pid) in found["DVC"]["detail"]


@pytest.mark.parametrize("content", ["", '{"write": {"/da', "[]", '{"write": {"data": {}}}'])
def test_a_damaged_file_of_locks(project: Path, capsys: Any, content: str) -> None:
    files.write_text(project / ".dvc/tmp/rwlock", content)
    found, code = examine(capsys)
    assert (found["DVC"]["state"], code) == ("wrong", 1) and "is damaged" in found["DVC"]["detail"]


STAGE = """
import os, sys
if os.fork() == 0:  # whose parent ends, as a stage whose DVC is killed
    os.setsid()
    code = "print('started', flush=True); input()"
    os.execv(sys.executable, [sys.executable, "-c", code, "cvnlp.stages.train", "--run"])
"""


def test_a_stage_whose_dvc_was_killed(project: Path, capsys: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STAGE], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout and starter.stdin and starter.stdout.readline() == "started\n"
        starter.wait()
        found, code = examine(capsys)
    assert found["stages"]["detail"].startswith("cvnlp.stages.train --run runs without DVC")
    assert "kill " in found["stages"]["remedy"] and code == 0


def test_a_database_of_another_version(
    project: Path, capsys: Any, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(empty_database, project / "mlflow.db")
    assert examine(capsys)[0]["MLflow"]["state"] == "ok"
    with sqlite3.connect(project / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    found, code = examine(capsys)
    assert code == 1 and "mlflow db upgrade sqlite:///" in found["MLflow"]["remedy"]


def test_what_mlflow_lacks(project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "check_store", lambda: "fine")
    monkeypatch.setattr(health, "check_runs", lambda settings, paths: (["cnn"], ["lstm", "rnn"]))
    cli.main(["doctor"])
    printed = capsys.readouterr().out
    assert "• MLflow runs: cnn: shown as running, but the process has ended" in printed
    assert "• MLflow runs: lstm, rnn: missing or not up to date in MLflow" in printed
    assert "→ `dvc repro --force --single-item report`" in printed


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
