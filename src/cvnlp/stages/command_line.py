"""The command line of a stage: its arguments, and a failure as one clear line instead of a traceback."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from cvnlp.training import malloc


def run(stage: Callable[..., None], *, item: str | None = None) -> None:
    """Call `stage(root)` or `stage(<item>, root)`.

    `item` names the argument that picks the block of params.yaml. Bad input ends the process with exit code 1 and the
    error's own message.
    """
    parser = argparse.ArgumentParser(description=stage.__doc__)
    if item:
        parser.add_argument(f"--{item}", required=True, help=f"name of the {item} in params.yaml")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml (default: the current one)")
    arguments = vars(parser.parse_args())
    malloc.keep_freed()
    try:
        stage(**arguments)
    except (ValueError, ConnectionError, OSError) as error:
        sys.exit(f"error: {error}")
