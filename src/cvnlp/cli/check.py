"""`cvnlp check`: find mistakes in params.yaml."""

from pathlib import Path

from cvnlp.cli.options import Root
from cvnlp.paths import ProjectPaths


def check(root: Root = Path()) -> None:
    """Find mistakes in params.yaml.

    Unknown keys, wrong values, contradictions, and paths of own files are found as before the pipeline starts.
    """
    from cvnlp.params import check_own_paths, read_params

    path = ProjectPaths(root).params
    params = read_params(path)
    check_own_paths(path, params)
    print(f"{path} is valid: {len(params.all_datasets)} data sets, {len(params.runs)} runs")
