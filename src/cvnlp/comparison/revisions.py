"""The small files of a run as they were at a git revision: params.yaml and its scores."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cvnlp import files
from cvnlp.paths import ProjectPaths
from cvnlp.provenance import git


@contextlib.contextmanager
def checked_out(root: Path, revision: str, run: str) -> Iterator[Path]:
    """A temporary project with params.yaml and the scores of `run`, as git has them at `revision`.

    ValueError if `root` is in no repository, or git has no such revision or file.
    """
    commit = _commit(root, revision)
    paths = ProjectPaths().run(run, "")
    with tempfile.TemporaryDirectory(prefix="cvnlp-") as folder:
        for path in (ProjectPaths().params, paths.scores, paths.training, paths.seed_scores, ProjectPaths().seeds):
            content = git(root, "show", f"{commit}:./{path.as_posix()}")
            if content is not None:
                files.write_text(Path(folder) / path, content)
            elif path in (ProjectPaths().params, paths.scores):
                raise ValueError(f"git has no {path} at {revision} ({commit[:10]})")
        yield Path(folder)


def raw_params(folder: Path, revision: str, run: str) -> dict[str, Any]:
    """The block of a run and, as `data`, that of its data set, of a params.yaml that this version cannot read."""
    content = YAML(typ="safe").load((folder / ProjectPaths().params).read_text(encoding="utf-8"))
    try:
        block = dict(content["runs"][run])
        data = {**(content.get("datasets") or {}), **(content.get("own") or {})}[block["dataset"]]
        return {"domain": block["domain"]} | block | {"data": data}
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"params.yaml has no complete run {run!r} at the revision {revision}") from None


def _commit(root: Path, revision: str) -> str:
    if git(root, "rev-parse", "--git-dir") is None:
        raise ValueError(f"{root.absolute()} is in no git repository, so {revision!r} is no revision")
    found = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not revision or found is None:
        raise ValueError(f"git has no revision {revision!r}; examples: HEAD~1, a branch, a tag, a commit")
    return found.strip()
