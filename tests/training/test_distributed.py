"""Training in two processes on the CPU: metrics are those of one process, and only the main process writes."""

import functools
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cvnlp import files
from make_trainings import Trained
from training.distributed_worker import TRAININGS, Steps, recording

WORKER = Path(__file__).with_name("distributed_worker.py")
TESTS = WORKER.parents[1]
TIMEOUT = 300  # seconds


@pytest.fixture(scope="module")
def two_processes(vision_data: Path, language_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have done all TRAININGS together; their output is in 0.txt and 1.txt."""
    folder = tmp_path_factory.mktemp("distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    environment = {"PYTHONPATH": path, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(WORKER), str(vision_data), str(language_data), str(folder)]
    processes = []
    for rank in ("0", "1"):
        with (folder / f"{rank}.txt").open("w") as output:
            variables = os.environ | environment | {"LOCAL_RANK": rank}
            processes.append(subprocess.Popen(command, env=variables, stdout=output, stderr=subprocess.STDOUT))
    try:
        codes = [process.wait(TIMEOUT) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], (folder / "0.txt").read_text() + (folder / "1.txt").read_text()
    return folder


@pytest.fixture(scope="module")
def one_process(train_in_module: Callable[..., Trained]) -> Callable[[str], tuple[Trained, Steps]]:
    """The same training in one process, and its steps."""

    @functools.cache
    def train_alone(name: str) -> tuple[Trained, Steps]:
        half, options = TRAININGS[name]
        steps: Steps = []
        return train_in_module(half, wrap=recording(steps), **options), steps

    return train_alone


Alone = Callable[[str], tuple[Trained, Steps]]


@pytest.mark.parametrize("name", TRAININGS)
def test_every_step_is_that_of_one_process(name: str, two_processes: Path, one_process: Alone) -> None:
    """Its loss, and the norm of the weights after it."""
    _, expected = one_process(name.removesuffix("-parts"))
    ranks = [files.read_json(two_processes / f"{name}-steps-{rank}.json") for rank in (0, 1)]
    assert len(ranks[0]) == len(ranks[1]) == len(expected)
    for (total, weight, norm), *slices in zip(expected, *ranks, strict=True):
        assert sum(one[0] for one in slices) / sum(one[1] for one in slices) == pytest.approx(total / weight, rel=1e-4)
        assert [one[2] for one in slices] == pytest.approx([norm, norm], rel=1e-5)


@pytest.mark.parametrize("name", TRAININGS)
def test_metrics_are_those_of_one_process(name: str, two_processes: Path, one_process: Alone) -> None:
    single = one_process(name.removesuffix("-parts"))[0].fitted
    rows = files.read_json(two_processes / f"{name}-0.json")
    assert len(rows) == len(single.history)
    for row, expected in zip(rows, single.history, strict=True):
        assert row == pytest.approx({key: expected[key] for key in row}, rel=1e-3)
    for rank in (0, 1):
        result = files.read_json(two_processes / f"{name}-result-{rank}.json")
        assert result == {"examples": single.examples, "best_epoch": single.best_epoch}


def test_only_the_main_process_logs_metrics_and_prints_lines(two_processes: Path) -> None:
    assert not [name for name in TRAININGS if (two_processes / f"{name}-1.json").exists()]
    lines = [(two_processes / f"{rank}.txt").read_text().count("train mine: epoch") for rank in (0, 1)]
    assert lines == [sum(options["epochs"] for _, options in TRAININGS.values()), 0]
