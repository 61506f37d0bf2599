"""The command line of a stage: its arguments, and errors and interruptions as one line instead of a traceback."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from cvnlp import files
from cvnlp.hand_over import SIGNALS
from cvnlp.progress import waiting

SIGNAL_EXIT = 128  # plus the number of the signal: the exit code of a program that a signal has ended, as in shells


REMEDY = "A training needs less with a smaller batch_size or window, or with CVNLP_ACCUMULATE=2 (docs/devices.md)"


class Stopped(SystemExit):
    """The end of a stage by a signal. Its notes complete the line that the user sees.

    Other exceptions do not serve: Lightning ends a training with exit code 1 after KeyboardInterrupt, and without a
    handler for SIGTERM with exit code 0.
    """


def run(stage: Callable[..., None], *, item: str | None = None) -> None:
    """Call `stage(root)` or `stage(<item>, root)`.

    `item`: the argument that chooses a block of params.yaml (dataset, run). Wrong input ends the process with exit code
    1 and the message of the error, a signal with one line and the exit code of shells: 130 for Ctrl-C, 143 for SIGTERM.
    """
    files.print_any_text()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    parser = argparse.ArgumentParser(description=stage.__doc__)
    if item:
        parser.add_argument(f"--{item}", required=True, help=f"name of the {item} in params.yaml")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml (default: the current one)")
    arguments = vars(parser.parse_args())
    name = " ".join(filter(None, [stage.__name__, arguments.get(item or "")]))
    try:
        with waiting.shown(name):
            stage(**arguments)
    except (ValueError, ConnectionError, OSError) as error:
        sys.exit(f"error: {error}")
    except (MemoryError, RuntimeError) as error:
        if not _is_lack_of_memory(error):
            raise
        sys.exit(f"error: out of memory{_first_line(error)}. {REMEDY}")
    except Stopped as stopped:
        print(_describe(stopped, stage.__name__, arguments.get(item or "")), file=sys.stderr)
        raise


def _is_lack_of_memory(error: Exception) -> bool:
    """Of NumPy and Python, of torch on a GPU, or of torch on the CPU, which has no class of its own."""
    of_torch = type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    return of_torch or isinstance(error, MemoryError)


def _first_line(error: Exception) -> str:
    """In brackets; Python's own error has no message."""
    lines = str(error).strip().splitlines()
    return f" ({lines[0]})" if lines else ""


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(SIGNAL_EXIT + number)


def _describe(stopped: Stopped, stage: str, item: str | None) -> str:
    """The line of an interruption; on a terminal it starts below the progress bar or the echo of Ctrl-C."""
    name = signal.Signals(int(stopped.code or 0) - SIGNAL_EXIT).name
    words = [f"{stage} {item}" if item else stage, f"interrupted ({name})", *getattr(stopped, "__notes__", [])]
    return ("\n" if sys.stderr.isatty() else "") + ": ".join(words)
