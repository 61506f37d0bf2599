"""The command line of a stage: its arguments, and errors as one line instead of a traceback."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def run(stage: Callable[..., None], *, item: str | None = None) -> None:
    """Call `stage(root)` or `stage(<item>, root)`.

    `item`: the argument that chooses a block of params.yaml (dataset, run). Wrong input ends the process with exit code
    1 and the message of the error.
    """
    parser = argparse.ArgumentParser(description=stage.__doc__)
    if item:
        parser.add_argument(f"--{item}", required=True, help=f"name of the {item} in params.yaml")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml (default: the current one)")
    arguments = vars(parser.parse_args())
    try:
        stage(**arguments)
    except (ValueError, ConnectionError, OSError) as error:
        sys.exit(f"error: {error}")
