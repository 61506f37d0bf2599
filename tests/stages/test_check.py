"""The stage that refuses a wrong params.yaml before any other stage runs."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cvnlp.paths import ProjectPaths
from cvnlp.stages.check import check

PARAMS = YAML(typ="safe").load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))


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
