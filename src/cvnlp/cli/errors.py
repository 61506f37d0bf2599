"""What a command does when something is wrong: one line and an exit code, or with --debug the whole trace."""

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

FAILED = 1
DEBUG = "CVNLP_DEBUG"  # environment variable: not empty for the trace of an error
Arguments = ParamSpec("Arguments")


def reported(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """The command, ended by one line and exit code 1 on bad input; a closed pipe, as of `| head`, is no error."""

    @functools.wraps(command)
    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, OSError) as error:
            if os.environ.get(DEBUG):
                raise
            sys.exit(f"error: {error}")

    return run
