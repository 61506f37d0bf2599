"""`cvnlp demo`: the folder that it writes, what it prints, and the page that it serves."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cvnlp import cli
from make_demo import make_runs

SRC = Path(__file__).parents[2] / "src"
MODELS = {"small": ("vision", "digits", "{name: mlp, hidden: [4]}"), "lines": ("vision", "digits", "{name: linear}")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, vision_data: Path) -> Path:
    folder = tmp_path_factory.mktemp("project")
    project = make_runs(folder, {"digits": vision_data}, MODELS)
    (project.models / "lines/config.json").unlink()
    return folder


def test_the_folder_is_written_and_what_it_lacks_is_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["demo", "--build-only", "--root", str(root)])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "left out: lines: not trained"
    assert second.startswith(f"{root}/data/demo: 1 runs, 0.") and second.endswith(" MB")
    assert (root / "data/demo/models/small.json").is_file()


def test_a_run_that_is_not_trained_is_one_line(root: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "lines", "--out", str(tmp_path / "demo"), "--root", str(root)])
    assert str(ended.value.code).startswith("error: 'lines' is not trained: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_page_is_served_until_it_is_interrupted(root: Path, tmp_path: Path, number: int, code: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is behind & with it ignored
    arguments = ["demo", "small", "--port", "0", "--out", str(tmp_path / "demo"), "--root", str(root)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cvnlp.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"{tmp_path}/demo: 1 runs")
    line = process.stdout.readline()
    assert line.startswith("demo: http://127.0.0.1:") and line.endswith("  (Ctrl-C ends the server)\n")
    with urllib.request.urlopen(line.split()[1], timeout=60) as answer:
        assert b"<title>" in answer.read()
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (code, "", "")
