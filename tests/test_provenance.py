"""What a result says of where it came from."""

import datetime
import platform
from pathlib import Path

import pytest

from cvnlp import files, provenance


def test_the_machine_is_described_by_what_decides_speed_and_results() -> None:
    found = provenance.machine()
    assert {"processor", "processors", "system", "python", "torch", "date"} <= set(found)
    assert all(found[key] for key in ("processor", "system", "python", "torch"))
    assert datetime.datetime.fromisoformat(found["date"]).tzinfo is not None


def test_the_machine_s_name_is_not_told() -> None:
    assert "host" not in provenance.machine()


@pytest.mark.parametrize(
    ("told", "processor"),
    [
        ("model name\t: Abacus 3\nflags\t\t: fpu avx2 avx512f avx512_bf16", "Abacus 3 with avx512_bf16"),
        ("model name\t: Abacus 3\nflags\t\t: fpu avx2", "Abacus 3 with avx2"),
        ("model name\t: Abacus 3\nflags\t\t: fpu", "Abacus 3"),
        ("Hardware\t: beads", "beads and rods"),
        (None, "beads and rods"),
    ],
)
def test_processors_of_one_name_are_told_apart_by_what_they_multiply_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str | None, processor: str
) -> None:
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "beads and rods")
    if told is not None:
        files.write_text(tmp_path / "cpuinfo", told)
    assert provenance.machine()["processor"] == processor


@pytest.mark.parametrize(("status", "changed"), [("", False), (" M src/cvnlp/files.py", True)])
def test_the_code_is_told_by_its_commit_and_whether_it_differs_from_it(
    monkeypatch: pytest.MonkeyPatch, status: str, changed: bool
) -> None:
    answers = {"rev-parse": "0123abcd", "status": status}
    monkeypatch.setattr(provenance, "_git", lambda *words: answers[words[2]])
    found = provenance.machine()
    assert (found["commit"], found["changed"]) == ("0123abcd", changed)


def test_outside_a_repository_no_commit_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "commit" not in provenance.machine()


def test_a_digest_of_a_model_is_of_all_its_files(tmp_path: Path) -> None:
    files.write_text(tmp_path / "config.json", "{}")
    first = provenance.model_digest(tmp_path)
    files.write_text(tmp_path / "model.safetensors", "weights")
    assert provenance.model_digest(tmp_path) != first
