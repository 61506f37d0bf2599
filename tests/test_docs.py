"""The documents name files, tests and commands that exist."""

import ast
import re
from pathlib import Path

import pytest

from cloning import ROOT
from cvnlp import domains, networks

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def named_tests() -> list[tuple[str, str]]:
    """(file, test) of every `file.py::test` in the documents; `::test` alone is of the file named before it."""
    found, file = [], ""
    for document in DOCUMENTS:
        for path, test in re.findall(r"`((?:tests/[\w/]+\.py)?)::(test_\w+)`", document.read_text(encoding="utf-8")):
            file = path or file
            found.append((file, test))
    return found


def test_the_table_of_bad_input_names_tests() -> None:
    assert len(named_tests()) > 50


@pytest.mark.parametrize(("file", "test"), named_tests())
def test_named_test_exists(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_row_of_a_table_has_the_columns_of_its_head(document: object) -> None:
    rows = re.findall(r"(?:^\|.*\|\n)+", document.read_text(encoding="utf-8"), re.MULTILINE)
    for table in rows:
        assert len({line.count("|") - line.count(r"\|") for line in table.splitlines()}) == 1, table


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: object) -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / link).exists(), link


def test_every_module_stands_in_the_tree_of_the_readme() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## The tree\n")[1].split("```")[1]
    modules = [path for path in (ROOT / "src/cvnlp").rglob("*.py") if path.name != "__init__.py"]
    assert [path.name for path in modules if path.name not in tree] == []


def test_the_networks_whose_limits_are_compared_are_params_and_of_one_size(tmp_path: Path) -> None:
    (blocks,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/limits.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text(encoding="utf-8") + "\n" + blocks, encoding="utf-8")
    runs = domains.read_params(path).runs
    facts = {"shape": [28, 28, 1], "classes": list("0123456789"), "mean": [0.13], "std": [0.31]}
    counts = {
        name: networks.parameter_count(networks.build(networks.describe("vision", runs[name].model, facts)))
        for name in ("pooled", "unpooled", "pooled_augmented", "unpooled_augmented")
    }
    assert counts["pooled"] == counts["pooled_augmented"] == 105_962
    assert counts["unpooled"] == counts["unpooled_augmented"] == 106_010


def test_the_readme_has_the_figures_of_the_tables_of_the_benchmarks() -> None:
    (section,) = re.findall(
        r"\n### On whole data sets\n(.*?)\n\n[A-Z]", (ROOT / "README.md").read_text(encoding="utf-8"), re.S
    )
    table = (ROOT / "benchmarks/reports/table.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    cells = {run: rest for run, *rest in rows}
    shown = re.findall(r"^\| `(\w+)` \|.*?\| ([^|]+) \|[^|]*\|$", section, re.M)
    assert len(shown) == 9
    for run, figure in shown:
        assert figure in cells[run], run
