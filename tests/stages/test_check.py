"""The stage that refuses a wrong params.yaml before any other stage runs."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cvnlp.params.own_paths import MANAGED
from cvnlp.paths import ProjectPaths
from cvnlp.stages.check import check

ROOT = Path(__file__).parents[2]
PARAMS = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def write(root: Path, **changes: object) -> ProjectPaths:
    paths = ProjectPaths(root)
    YAML(typ="safe").dump({**PARAMS, **changes}, paths.params)
    return paths


def test_output_is_the_same_whatever_the_params(tmp_path: Path) -> None:
    paths = write(tmp_path)
    check(tmp_path)
    first = paths.params_valid.read_bytes()
    write(tmp_path, runs={})
    check(tmp_path)
    assert paths.params_valid.read_bytes() == first


def test_a_mistake_in_any_run_is_refused(tmp_path: Path) -> None:
    mlp = PARAMS["runs"]["mlp"]
    paths = write(tmp_path, runs={"mlp": {**mlp, "model": {**mlp["model"], "dropout": 1.2}}})
    with pytest.raises(ValueError, match=r"runs\.mlp\.model\.dropout"):
        check(tmp_path)
    assert not paths.params_valid.exists()


def test_own_files_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    own = {"letters": {"domain": "language", "path": "data/own/leters", "seed": 1, "tokens": "words", "test": 0.1}}
    write(tmp_path, own=own)
    with pytest.raises(ValueError, match=r"own\.letters\.path: 'data/own/leters' does not exist"):
        check(tmp_path)
    (tmp_path / "data/own/leters").mkdir(parents=True)
    check(tmp_path)


@pytest.mark.parametrize("place", ["data", ".", "data/raw/mine", "data/models", "src/pictures", ".dvc/mine"])
def test_own_files_that_dvc_does_not_watch_are_refused(tmp_path: Path, place: str) -> None:
    own = {"letters": {"domain": "language", "path": place, "seed": 1, "tokens": "words", "test": 0.1}}
    write(tmp_path, own=own)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    with pytest.raises(ValueError, match=r"own\.letters\.path: .* overlaps with .* does not notice changes"):
        check(tmp_path)


def ignored() -> list[str]:
    """The folders that .dvcignore names."""
    lines = (ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("pattern", ignored())
def test_no_own_path_can_be_in_what_dvc_ignores(pattern: str) -> None:
    assert pattern.startswith("/")
    assert any(pattern.lstrip("/").startswith(folder) for folder in MANAGED)
