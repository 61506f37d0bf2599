"""The launcher of a training, such as srun or torchrun, which starts its processes. Imports no torch."""

import os
import shlex
import sys

LAUNCHER = "CVNLP_LAUNCHER"  # for example "srun", or "torchrun --nproc-per-node=4 --no-python --"


def replace_process() -> None:
    """If $CVNLP_LAUNCHER is set, become that command, with the command of this process as its arguments.

    The processes that it starts do not see the variable. ValueError for a command that does not exist.
    """
    command = shlex.split(os.environ.pop(LAUNCHER, ""))
    if not command:
        return
    sys.stdout.flush()
    try:
        os.execvp(command[0], [*command, sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - a user's own command, without a shell
    except FileNotFoundError:
        raise ValueError(f"{LAUNCHER}: there is no command {command[0]!r}") from None
