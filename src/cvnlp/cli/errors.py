"""What every command does: it shows that it works, and when something is wrong ends with one line and an exit code."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

from cvnlp.progress import waiting

FAILED = 1
DEBUG = "CVNLP_DEBUG"  # environment variable: not empty for the trace of an error
Arguments = ParamSpec("Arguments")


def reported(command: Callable[Arguments, None], doing: str | None = None) -> Callable[Arguments, None]:
    """The command, ended by one line and exit code 1 on bad input; a closed pipe, as of `| head`, is no error.

    `doing`: shown on a terminal, with the seconds, until the first output.
    """

    @functools.wraps(command)
    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        try:
            with waiting.shown(doing, until_output=True) if doing else contextlib.nullcontext():
                command(*arguments, **options)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, OSError) as error:
            if os.environ.get(DEBUG):
                raise
            sys.exit(f"error: {error}")

    return run
