"""The server of the demo page: types, caching, and no file outside of its folder."""

import fnmatch
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvnlp.demo.build import PAGE
from cvnlp.demo.server import make_app
from model_server import ModelServer, serve_app


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serve_app(make_app(PAGE)) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/main.js", "text/javascript"), ("/style.css", "text/css")]
)
def test_files_have_the_types_that_browsers_need(server: ModelServer, path: str, kind: str) -> None:
    answer = server.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/none.js", "/../build.py", "/%2e%2e/build.py", "/ui"])
def test_there_is_nothing_else(server: ModelServer, path: str) -> None:
    assert server.get(path).status == 404
    assert b"def build" not in server.get(path).content


def test_the_page_names_files_that_exist() -> None:
    for script in PAGE.rglob("*.js"):
        for name in re.findall(r'from "([^"]+)"', script.read_text(encoding="utf-8")):
            assert (script.parent / name).is_file(), (script, name)


def test_scripts_are_short_and_load_nothing_from_elsewhere() -> None:
    for path in PAGE.rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 250
        assert "http://" not in text and "https://" not in text


def test_the_files_of_the_page_are_packaged() -> None:
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["cvnlp.demo"]
    names = [path.relative_to(PAGE.parent).as_posix() for path in PAGE.rglob("*") if path.is_file()]
    depth = {pattern.count("/"): pattern for pattern in patterns}
    assert [name for name in names if not fnmatch.fnmatch(name, depth.get(name.count("/"), ""))] == []
