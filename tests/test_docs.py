"""The documents name files, tests and commands that exist."""

import ast
import math
import re
import statistics
from pathlib import Path

import pytest

import source_tree
from cloning import ROOT
from cvnlp import domains, networks
from cvnlp.files import read_json
from cvnlp.params import read_params
from cvnlp.vision.models import MODELS
from make_networks import image_format

README = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDERS = [ROOT, ROOT / "data", ROOT / "benchmarks"]
DOCUMENTS = [*(folder / "README.md" for folder in FOLDERS), *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS += [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_row_of_a_table_has_the_columns_of_its_head(document: Path) -> None:
    rows = re.findall(r"(?:^\|.*\|\n)+", document.read_text(encoding="utf-8"), re.MULTILINE)
    for table in rows:
        assert len({line.count("|") - line.count(r"\|") for line in table.splitlines()}) == 1, table


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_a_heading_lead_to_one(document: Path) -> None:
    for file, anchor in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)", document.read_text(encoding="utf-8")):
        target = document.parent / file if file else document
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}, anchor


def rooms() -> dict[str, str]:
    """Path below src/cvnlp -> line of the README's tree; what is indented below the halves belongs to both."""
    tree = README.split("\n## The tree\n")[1].split("```")[1]
    shared = {name: line for line in tree.splitlines() for name in re.findall(r"^  ([\w/]+)/ ", line)}
    common = {name: line for line in tree.splitlines() for name in re.findall(r"^    ([\w/]+)/ ", line)}
    return shared | {f"{half}/{name}": line for half in domains.HALVES for name, line in common.items()}


def test_every_package_is_in_the_tree_of_the_readme() -> None:
    source, lines = ROOT / "src/cvnlp", rooms()
    packages = [str(path.parent.relative_to(source)) for path in sorted(source.rglob("*/__init__.py"))]
    missing = [
        name
        for name in packages
        if name not in lines and f"{Path(name).name}/" not in lines.get(str(Path(name).parent), "")
    ]
    assert missing == []


def test_every_package_in_the_tree_of_the_readme_exists() -> None:
    assert [name for name in rooms() if not (ROOT / "src/cvnlp" / name / "__init__.py").is_file()] == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
MENTIONED = sorted(set(re.findall(r"`([\w/.]+(?:\.py|/))`", ARCHITECTURE)))


def test_the_tours_mention_files() -> None:
    assert len([path for path in MENTIONED if path.endswith(".py")]) > 20


@pytest.mark.parametrize("path", MENTIONED)
def test_a_file_mentioned_in_the_architecture_exists(path: str) -> None:
    places = [ROOT, ROOT / "src/cvnlp", *(ROOT / "src/cvnlp" / half for half in domains.HALVES)]
    assert any((place / path).exists() for place in places)


def layers() -> dict[str, int]:
    """Room -> the number of its line in the diagram of imports, from the top."""
    diagram = ARCHITECTURE.split("\n## Who imports whom\n")[1].split("```")[1].strip().splitlines()
    names = {name: row for row, line in enumerate(diagram) for name in re.findall(r"[\w/]+(?:/|\.py)(?= )", line)}
    return {name.removesuffix(".py").strip("/").replace("/", "."): row for name, row in names.items()}


def layer_name(module: str) -> str:
    """The name of a module's room in the diagram, which has one line for the rooms of both halves."""
    return re.sub(rf"^({'|'.join(domains.HALVES)})\.", "half.", source_tree.room(module))


def test_the_diagram_of_imports_has_every_room() -> None:
    rooms_of_code = {layer_name(module) for module in source_tree.PATHS} - {"", *domains.HALVES}
    assert set(layers()) == rooms_of_code


@pytest.mark.parametrize("module", sorted(source_tree.PATHS))
def test_a_module_imports_only_from_lines_below_its_own(module: str) -> None:
    rows, own = layers(), layer_name(module)
    names = {layer_name(name) for name in source_tree.IMPORTS[module] if name in source_tree.PATHS}
    names -= {own} if module != "cvnlp" else names
    assert [name for name in sorted(names) if name in rows and rows[name] <= rows[own]] == []


def test_the_networks_whose_limits_are_compared_are_params_and_of_one_size(tmp_path: Path) -> None:
    (blocks,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/limits.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text(encoding="utf-8") + "\n" + blocks, encoding="utf-8")
    runs = read_params(path).runs
    counts = {
        name: networks.parameter_count(MODELS[runs[name].model.name](image_format((28, 28, 1)), runs[name].model))
        for name in ("pooled", "unpooled", "pooled_augmented", "unpooled_augmented")
    }
    assert counts["pooled"] == counts["pooled_augmented"] == 105_962
    assert counts["unpooled"] == counts["unpooled_augmented"] == 106_010


def test_the_readme_has_the_figures_of_the_tables_of_the_benchmarks() -> None:
    (section,) = re.findall(r"\n### On whole data sets\n(.*?)\n\n[A-Z]", README, re.S)
    table = (ROOT / "benchmarks/reports/table.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    cells = {run: rest for run, *rest in rows}
    shown = re.findall(r"^\| `(\w+)` \|.*?\| ([^|]+) \|[^|]*\|$", section, re.M)
    assert len(shown) == 9
    for run, figure in shown:
        assert figure in cells[run], run


def test_the_readme_has_the_scores_of_the_default_runs_over_seeds() -> None:
    seeds = read_json(ROOT / "reports/seeds.json")
    (section,) = re.findall(r"\n## Results\n(.*?)\n### On whole data sets\n", README, re.S)
    rows = {run: line for line in section.splitlines() for run in re.findall(r"^\| `(\w+)` \|", line)}
    assert set(rows) == set(seeds) == set(read_params(ROOT / "params.yaml").runs)
    for run, found in seeds.items():
        scores = [math.exp(score) for score in found["scores"]] if "perplexity" in rows[run] else found["scores"]
        mean, spread = statistics.mean(scores), statistics.stdev(scores) if len(scores) > 1 else 0.0
        shown = {f"{100 * mean:.1f}", f"{mean:.3f}", f"{mean:.1f}"}
        shown = {f"{one} ± {spread * unit:.{len(one.split('.')[1])}f}" for one in shown for unit in (1, 100)} | (
            set() if spread > 1e-9 else shown
        )
        assert any(one in rows[run] for one in shown), (run, shown)
