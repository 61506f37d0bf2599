"""$CVNLP_LAUNCHER."""

import os
import sys

import pytest

from cvnlp.launch import launcher


def test_the_launcher_gets_the_command_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, list[str], bool]] = []

    def execute(file: str, arguments: list[str]) -> None:
        started.append((file, arguments, launcher.LAUNCHER in os.environ))

    monkeypatch.setattr(os, "execvp", execute)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "cvnlp.stages.train", "--run", "cnn"])
    monkeypatch.setenv(launcher.LAUNCHER, "srun --label 'a b'")
    launcher.replace_process()
    command = ["srun", "--label", "a b", sys.executable, "-m", "cvnlp.stages.train", "--run", "cnn"]
    assert started == [("srun", command, False)]
    launcher.replace_process()  # the variable is gone
    assert len(started) == 1


def test_a_command_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(launcher.LAUNCHER, "no-such-launcher --nodes 2")
    with pytest.raises(ValueError, match="CVNLP_LAUNCHER: there is no command 'no-such-launcher'"):
        launcher.replace_process()
