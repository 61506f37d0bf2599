"""`cvnlp datasets` prints the catalogue, and refuses unknown names in one line."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cvnlp import cli
from cvnlp.catalogue import SOURCES

SRC = Path(__file__).parents[2] / "src"
EVERY_SOURCE = pytest.mark.parametrize("name", SOURCES)


def test_table_has_a_row_for_every_data_set(capsys: Any) -> None:
    cli.main(["datasets"])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[:2] for row in rows] == [[name, source.domain] for name, source in SOURCES.items()]
    for row, source in zip(rows, SOURCES.values(), strict=True):
        assert source.title in row
        assert source.licence in row
        assert all(split in row for split in source.official_splits)


@EVERY_SOURCE
def test_details_are_those_of_the_catalogue(capsys: Any, name: str) -> None:
    cli.main(["datasets", name])
    shown = capsys.readouterr().out
    source = SOURCES[name]
    for words in (source.title, source.licence, source.citation, source.homepage):
        assert words in shown
    for file in source.files:
        assert all(words in shown for words in (file.name, file.sha256, f"{file.size:,}", *file.urls))
        assert all(name in shown for name in file.members or ())


@EVERY_SOURCE
def test_block_can_be_pasted_into_params(capsys: Any, name: str) -> None:
    cli.main(["datasets", name])
    block = capsys.readouterr().out.partition("block for params.yaml:\n")[2]
    source = SOURCES[name]
    expected = {"domain": source.domain, "source": name, "seed": 1, **source.example_options}
    assert YAML(typ="safe").load(block) == {"datasets": {name: expected}}


@pytest.mark.parametrize("arguments", [["--help"], ["datasets", "--help"]])
def test_help_lists_the_command(capsys: Any, arguments: list[str]) -> None:
    cli.main(arguments)
    assert "datasets" in capsys.readouterr().out


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cvnlp.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_unknown_data_set_is_refused_in_one_line_with_the_choices() -> None:
    done = run("datasets", "minst")
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 1
    assert line == f"error: 'minst' is not a published data set; choose from {', '.join(SOURCES)}"


def test_nothing_heavy_is_imported() -> None:
    done = run("datasets")
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "cvnlp" in imported
    assert imported.isdisjoint({"torch", "mlflow", "pandas", "numpy", "pooch", "requests"})
