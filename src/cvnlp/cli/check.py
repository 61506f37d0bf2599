"""`cvnlp check`: find mistakes in params.yaml."""

import argparse
from pathlib import Path

from cvnlp.paths import ProjectPaths


def add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="find mistakes in params.yaml",
        description="Check params.yaml as the pipeline does before it starts: unknown keys, wrong values, "
        "contradictions, and paths of own files.",
    )
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml (default: the current one)")
    parser.set_defaults(command=check)


def check(root: Path) -> None:
    """ValueError with one line for each mistake."""
    from cvnlp.params import check_own_paths, read_params

    path = ProjectPaths(root).params
    params = read_params(path)
    check_own_paths(path, params)
    print(f"{path} is valid: {len(params.all_datasets)} data sets, {len(params.runs)} runs")
