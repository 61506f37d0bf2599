"""The line of what is running: on a terminal only, out of the way of all other output."""

import io
import os
import sys

import pytest

from cvnlp.progress.waiting import ERASE, SILENCE, WaitingLine, Watched, shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def use(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it standard output and errors; within a test, for pytest captures them before."""
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")


def make(terminal: Terminal, *, until_output: bool = False) -> WaitingLine:
    return WaitingLine(terminal, lambda seconds: f"working: {seconds:.0f} s", until_output=until_output)


def test_the_line_appears_after_a_silence(terminal: Terminal) -> None:
    line = make(terminal)
    line.draw(line.started + SILENCE / 2)
    assert terminal.getvalue() == ""
    line.draw(line.started + 7)
    assert terminal.getvalue() == f"{ERASE}working: 7 s"


def test_output_takes_its_place(terminal: Terminal) -> None:
    line = make(terminal)
    line.draw(line.started + 7)
    print("result", file=Watched(terminal, line))
    assert terminal.getvalue() == f"{ERASE}working: 7 s{ERASE}result\n"


def test_a_progress_bar_or_text_without_line_end_keeps_its_line(terminal: Terminal) -> None:
    line = make(terminal)
    print("50 %", end="", file=Watched(terminal, line))
    line.draw(line.started + 60)
    print(file=Watched(terminal, line))
    line.draw(line.started + 60)
    assert terminal.getvalue() == f"50 %\n{ERASE}working: 60 s"


def test_it_can_end_with_the_first_output(terminal: Terminal) -> None:
    line = make(terminal, until_output=True)
    print("listening", file=Watched(terminal, line))
    line.draw(line.started + 60)
    assert terminal.getvalue() == "listening\n"


def test_it_is_cut_to_the_width_of_the_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    line = make(terminal)
    line.draw(line.started + 7)
    assert terminal.getvalue() == f"{ERASE}working: "


def test_streams_are_restored_and_nothing_stays_on_the_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(terminal, monkeypatch)
    with pytest.raises(ValueError, match="wrong"), shown("working"):
        assert sys.stdout is not terminal
        assert sys.stdout.isatty()
        raise ValueError("wrong")
    assert sys.stdout is sys.stderr is terminal
    assert terminal.getvalue() in ("", ERASE)


@pytest.mark.parametrize("kind", ["pipe", "dumb"])
def test_without_a_terminal_streams_are_as_they_were(
    terminal: Terminal, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(terminal, monkeypatch)
    if kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    else:
        monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown("working"):
        assert sys.stdout is terminal


def test_a_forked_child_writes_although_the_parent_was_drawing(terminal: Terminal) -> None:
    line = make(terminal)
    line.lock.acquire()
    line.forget()  # what a fork does in its child
    print("child", file=Watched(terminal, line))
    assert terminal.getvalue() == "child\n"


def test_a_terminal_shows_what_a_command_waits_for() -> None:
    """In a terminal of the system: a stage that prints nothing until it has received a line."""
    pexpect = pytest.importorskip("pexpect")
    code = "from cvnlp.progress.waiting import shown\nwith shown('stage cnn'): input()"
    child = pexpect.spawn(sys.executable, ["-c", code], env={**os.environ, "TERM": "xterm"}, timeout=60)
    child.expect(r"stage cnn: \d+ s")
    child.sendline()
    child.expect(pexpect.EOF)
    assert child.before.endswith(b"\x1b[K")
