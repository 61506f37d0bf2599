"""`cvnlp serve`: how it starts, what it prints, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cvnlp import cli
from model_server import save_model

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, vision_data: Path) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "tiny", vision_data, "mlp")


def start(*arguments: str | Path, python: tuple[str, ...] = ()) -> Any:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is behind & with it ignored
    return subprocess.Popen(
        [sys.executable, *python, "-m", "cvnlp.cli", "serve", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_server_prints_its_address_and_ends_without_a_trace(model: Path, number: int, code: int) -> None:
    process = start(model, "--port", "0")
    line = process.stdout.readline()
    assert line.startswith("tiny: http://127.0.0.1:") and line.endswith("  (Ctrl-C ends the server)\n")
    address = line.split()[1]
    with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:
        assert json.load(answer)["model"] == "tiny"
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (code, "", "")


def test_other_hosts_are_a_warning_and_requests_are_shown_if_wanted(model: Path) -> None:
    process = start(model, "--port", "0", "--host", "0.0.0.0", "--log")
    port = process.stdout.readline().split()[1].rpartition(":")[2]
    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60).close()
    process.terminate()
    output, errors = process.communicate(timeout=60)
    assert errors.startswith("warning: 0.0.0.0: other machines can use the server, without a password\n")
    assert '"GET /health HTTP/1.1" 200' in output


def test_a_used_port_is_named(model: Path, port: int) -> None:
    process = start(model, "--port", str(port))
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert (
        errors == f"error: port {port} of 127.0.0.1: Address already in use; choose another one with --port or --host\n"
    )


def test_a_wrong_host_is_named(model: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", str(model), "--port", "0", "--host", "256.1.1.1"])
    assert str(ended.value.code).startswith("error: port 0 of 256.1.1.1: ")


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_wrong_port_is_refused(model: Path, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", str(model), "--port", port])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_a_wrong_run_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("datasets: {}\nruns: {}\n", encoding="utf-8")
    process = start("sonnets", "--root", tmp_path, python=("-X", "importtime"))
    _, errors = process.communicate(timeout=60)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in errors.splitlines()}
    assert process.returncode == 1
    assert "'sonnets' is no run of" in errors
    assert imported.isdisjoint({"torch", "fastapi", "mlflow"})


def test_a_damaged_model_is_one_line(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "config.json").write_bytes((model / "config.json").read_bytes())
    (folder / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:100])
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", str(folder), "--port", "0"])
    assert str(ended.value.code).startswith(f"error: {folder}/model.safetensors is damaged")
