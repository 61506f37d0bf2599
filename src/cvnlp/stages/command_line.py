"""How a stage is started: its arguments, and a failure as one clear line instead of a traceback."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from cvnlp.training import malloc


def run(stage: Callable[..., None], *paths: str, item: str) -> None:
    """Call `stage(params, <item>, <paths>...)` with what the command line gives.

    `item` names the argument that picks the block of params.yaml; `paths` name files and folders, which dvc.yaml
    alone decides. Bad input ends the process with exit code 1 and the error's own words.
    """
    parser = argparse.ArgumentParser(description=stage.__doc__)
    parser.add_argument("--params", type=Path, required=True, help="the file params.yaml")
    if item:
        parser.add_argument(f"--{item}", required=True, help=f"name of the {item} in params.yaml")
    for path in paths:
        parser.add_argument(f"--{path}", type=Path, required=True)
    arguments = vars(parser.parse_args())
    malloc.keep_freed()
    try:
        stage(**arguments)
    except (ValueError, ConnectionError, OSError) as error:
        sys.exit(f"error: {error}")
