"""The rules of the architecture: which room imports which, and what every module looks like."""

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from cvnlp.domains import DOMAINS, HALVES, Domain
from source_tree import (
    IMPORTS,
    IMPORTS_AT_START,
    PACKAGES,
    PATHS,
    TREES,
    executed,
    is_domain,
    modules_of,
    reached,
    reached_at_start,
    room,
    within,
)

MODULES = sorted(PATHS)
STAGES = [name for name in modules_of("stages") if name not in ("cvnlp.stages", "cvnlp.stages.command_line")]
ROOMS = [name for name, value in vars(Domain).items() if isinstance(value, property)]


def of_halves(part: str) -> list[str]:
    return modules_of(*(f"{half}.{part}" for half in HALVES))


# Who imports whom -----------------------------------------------------------------------------------------------------

LIGHTNING = ("pytorch_lightning", "lightning", "lightning_fabric")
TORCH = ("torch", "torchvision", *LIGHTNING)
TORCH_FREE = [
    *modules_of("params", "catalogue", "data", "domains", "files", "paths", "provenance"),
    *modules_of("report", "benchmark", "comparison", "significance", "cli", "stages"),
    *modules_of("tracking.run_metadata", "tracking.recorder"),
    *of_halves("data"),
    *of_halves("comparison"),
    *of_halves("metrics"),
    *of_halves("report"),
]
RULES = [
    (of_halves("data"), tuple(f"cvnlp.{half}.{part}" for half in HALVES for part in ("training", "models"))),
    (of_halves("models"), (*LIGHTNING, "mlflow", "cvnlp.training")),
    (of_halves("training"), ("mlflow", "cvnlp.stages")),
    (of_halves("attacks"), (*LIGHTNING, "cvnlp.training", *(f"cvnlp.{half}.training" for half in HALVES))),
    (of_halves("inference"), (*LIGHTNING, "mlflow")),
    (of_halves("evaluation"), (*LIGHTNING, "mlflow")),
    (of_halves("insight"), (*LIGHTNING, "mlflow", "matplotlib")),
    (TORCH_FREE, (*TORCH, "mlflow")),
    ([name for name in MODULES if not within(name, "cvnlp.stages")], ("cvnlp.stages",)),
    ([name for name in MODULES if not within(name, "cvnlp.cli")], ("cvnlp.cli",)),
    (MODULES, ("dvc",)),
    *[(modules_of(half), tuple(f"cvnlp.{other}" for other in HALVES if other != half)) for half in HALVES],
]
FORBIDDEN = [(module, forbidden) for modules, forbidden in RULES for module in modules]


@pytest.mark.parametrize(("module", "forbidden"), FORBIDDEN, ids=[f"{pair[0]}-{pair[1][0]}" for pair in FORBIDDEN])
def test_importing_a_module_loads_nothing_forbidden(module: str, forbidden: tuple[str, ...]) -> None:
    assert [name for name in sorted(reached_at_start(module)) if any(within(name, bad) for bad in forbidden)] == []


@pytest.mark.parametrize(("module", "forbidden"), FORBIDDEN, ids=[f"{pair[0]}-{pair[1][0]}" for pair in FORBIDDEN])
def test_functions_of_a_module_import_nothing_forbidden(module: str, forbidden: tuple[str, ...]) -> None:
    assert [name for name in sorted(IMPORTS[module]) if any(within(name, bad) for bad in forbidden)] == []


@pytest.mark.parametrize("module", [name for name in MODULES if not within(name, "cvnlp.tracking")])
def test_only_tracking_imports_mlflow(module: str) -> None:
    assert [name for name in IMPORTS[module] if within(name, "mlflow")] == []


@pytest.mark.parametrize("module", modules_of("params"))
def test_params_imports_no_other_room_but_the_catalogue(module: str) -> None:
    assert {room(name) for name in IMPORTS[module] if within(name, "cvnlp")} <= {"", "params", "catalogue"}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_imports_no_other_stage(stage: str) -> None:
    assert [name for name in IMPORTS[stage] if name in STAGES] == []


@pytest.mark.parametrize(
    ("stage", "forbidden"),
    [
        ("prepare", (*TORCH, "mlflow")),
        ("evaluate", (*LIGHTNING, "mlflow")),
        ("attack", (*LIGHTNING, "mlflow")),
        ("insight", (*LIGHTNING, "mlflow", "matplotlib")),
    ],
)
def test_stage_loads_no_package_that_it_does_not_need(stage: str, forbidden: tuple[str, ...]) -> None:
    """By any module that it can reach, lazily loaded rooms included."""
    loaded = {name for module in reached(f"cvnlp.stages.{stage}") for name in IMPORTS_AT_START[module]}
    assert [name for name in sorted(loaded) if any(within(name, bad) for bad in forbidden)] == []


def child(name: str, package: str) -> str:
    """The module or package right inside `package` that contains `name`."""
    steps = name.removeprefix(package).split(".")
    return steps[1] if len(steps) > 1 else "__init__"


def graph_of(package: str) -> dict[str, set[str]]:
    """Which children of the package import which others, by any import in any module inside them."""
    graph: dict[str, set[str]] = {}
    for module in (name for name in MODULES if within(name, package)):
        own = child(module, package)
        names = [name for name in IMPORTS[module] if name in PATHS and within(name, package) and name != package]
        graph.setdefault(own, set()).update({child(name, package) for name in names} - {own})
    return graph


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> Iterator[list[str]]:
        if node in path:
            yield [*path[path.index(node) :], node]
        elif node not in done:
            for other in sorted(graph.get(node, ())):
                yield from visit(other, [*path, node])
            done.add(node)

    for node in sorted(graph):
        yield from visit(node, [])


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_packages_and_modules_import_each_other_in_one_direction(package: str) -> None:
    assert [" -> ".join(circle) for circle in circles(graph_of(package))] == []


def test_a_circle_is_found() -> None:
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == [["b", "c", "b"]]
    assert list(circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})) == []


# The two halves -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", ROOMS)
def test_half_has_every_room_with_the_names_of_its_protocol(half: str, name: str) -> None:
    """mypy compares the signatures; the rooms are loaded by name at run time."""
    protocol = vars(Domain)[name].fget.__annotations__["return"]
    found: Any = getattr(DOMAINS[half], name)
    agreed = [attribute for attribute in vars(protocol) if not attribute.startswith("_")]
    assert agreed
    assert [attribute for attribute in agreed if not hasattr(found, attribute)] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name != "cvnlp.domains"])
def test_a_domain_is_only_used_for_its_rooms(module: str) -> None:
    """`DOMAINS[half].room` or `half = DOMAINS[...]`: what other tests can follow."""
    nodes = list(ast.walk(TREES[module]))
    used = [node for node in nodes if ast.unparse(node) in ("domains.DOMAINS", "DOMAINS") and not is_import(node)]
    followed = [node for node in nodes if isinstance(node, (ast.Attribute, ast.Assign)) and is_domain(node.value)]
    assert len(used) == len(followed)


def is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.alias)


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("cvnlp", "cvnlp.domains")])
def test_only_domains_imports_by_a_computed_name(module: str) -> None:
    assert not any(within(name, "importlib.import_module") for name in IMPORTS[module])
    called = {ast.unparse(node.func) for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)}
    assert not called & {"importlib.import_module", "__import__"}


def names_a_half(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Constant) and inner.value in HALVES for inner in ast.walk(node))


def decisions_on_a_half(tree: ast.AST) -> list[int]:
    """Lines with `if domain == "vision"` or `case "vision"`."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Compare) and names_a_half(node)] + [
        node.pattern.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.match_case) and names_a_half(node.pattern)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_no_code_branches_on_the_name_of_a_half(module: str) -> None:
    assert decisions_on_a_half(TREES[module]) == []


# Safety, size and documentation ---------------------------------------------------------------------------------------

PICKLERS = ("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")


@pytest.mark.parametrize("module", MODULES)
def test_module_loads_no_pickle(module: str) -> None:
    assert not [name for name in IMPORTS[module] if any(within(name, bad) for bad in PICKLERS)]
    for node in ast.walk(TREES[module]):
        if not isinstance(node, ast.Call):
            continue
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        called = ast.unparse(node.func)
        assert called not in {"pd.read_pickle", "pandas.read_pickle"}
        assert given.get("allow_pickle", "False") == "False"
        assert given.get("weights_only", "True") == "True"
        if called == "torch.load":
            assert "weights_only" in given


def test_the_top_of_the_package_holds_packages_and_at_most_six_modules() -> None:
    top = {name for name in MODULES if name.count(".") == 1}
    assert len(top - PACKAGES) <= 6


@pytest.mark.parametrize("module", MODULES)
def test_module_and_functions_are_short(module: str) -> None:
    assert len(PATHS[module].read_text(encoding="utf-8").splitlines()) <= 250
    functions = [node for node in ast.walk(TREES[module]) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [node.name for node in functions if node.end_lineno - node.lineno + 1 > 45] == []


@pytest.mark.parametrize("module", MODULES)
def test_module_has_a_docstring(module: str) -> None:
    assert ast.get_docstring(TREES[module])


@pytest.mark.parametrize("module", MODULES)
def test_no_assert_guards_a_user(module: str) -> None:
    """`python -O` removes assertions; only those that inform mypy of a type may stay."""
    kept = [ast.unparse(node.test) for node in executed(TREES[module]) if isinstance(node, ast.Assert)]
    assert [test for test in kept if " is not None" not in test and not test.startswith("isinstance(")] == []
