"""The rules of the architecture, read from the source text: who imports whom, and what both halves have."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvnlp.domains import CONTRACT, HALVES
from cvnlp.params.datasets import LanguageDataset, OwnPictures, OwnTexts, VisionDataset

PACKAGE = Path(__file__).parents[1] / "src" / "cvnlp"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in PATHS.items()}
MODULES = sorted(TREES)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def module_level(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, FUNCTIONS):
            yield from module_level(child)


def imported_names(nodes: Iterator[ast.AST]) -> set[str]:
    """Dotted names of all that `nodes` import: `from a import b` is both a and a.b."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


ALL_IMPORTS = {name: imported_names(ast.walk(tree)) for name, tree in TREES.items()}
IMPORTS_AT_START = {name: imported_names(module_level(tree)) for name, tree in TREES.items()}


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def of_module(*parts: str) -> list[str]:
    """The modules of that name: one file, or every file of the package that it has become."""
    return [name for name in MODULES if any(within(name, f"cvnlp.{part}") for part in parts)]


def of_halves(part: str) -> list[str]:
    return of_module(*(f"{half}.{part}" for half in HALVES))


def reached_at_start(module: str) -> set[str]:
    """All names that importing `module` imports, through all modules of this project."""
    seen, waiting = set(), [module]
    while waiting:
        for name in IMPORTS_AT_START.get(waiting.pop(), set()) - seen:
            seen.add(name)
            waiting.append(name)
    return seen


LIGHTNING = ("pytorch_lightning", "lightning", "lightning_fabric")
TORCH = ("torch", "torchvision", *LIGHTNING)
STAGES = [name for name in of_module("stages") if name != "cvnlp.stages"]
TORCH_FREE = [
    *of_module("params", "schemas", "options", "domain", "files", "prepared", "duplicates", "own_files"),
    *of_module("sources", "command", "cli", "provenance"),
    *of_module("reporting", "comparison", "benchmark", "plots", "tracking.record"),
    *of_halves("data"),
    *of_halves("scores"),
    *of_halves("figures"),
    *of_halves("card"),
    *of_halves("insight_figures"),
    *of_halves("comparison_figures"),
    *of_module("language.dependency_figures", "language.sample_figures", "language.tracking_figures"),
    *of_module("language.vector_figures"),
    *of_module("vision.laboratory_figures", "language.adaptation_figures", "language.text", "language.prompt"),
]
RULES = [
    (of_halves("data"), tuple(f"cvnlp.{half}.{part}" for half in HALVES for part in ("task", "models"))),
    (of_halves("models"), (*LIGHTNING, "mlflow", "cvnlp.params", "cvnlp.training", "cvnlp.tracking")),
    (of_halves("task"), ("mlflow", "cvnlp.tracking", "cvnlp.stages")),
    (of_halves("scores"), (*TORCH, "mlflow")),
    (of_halves("attacks"), (*LIGHTNING, "cvnlp.params", "cvnlp.training")),
    (of_halves("insight"), (*LIGHTNING, "mlflow", "matplotlib")),
    (TORCH_FREE, (*TORCH, "mlflow")),
    ([name for name in MODULES if not within(name, "cvnlp.tracking")], ("mlflow",)),
    ([name for name in MODULES if not within(name, "cvnlp.stages")], ("cvnlp.stages",)),
    (MODULES, ("dvc",)),
    *[(of_module(half), tuple(f"cvnlp.{other}" for other in HALVES if other != half)) for half in HALVES],
]
FORBIDDEN = [(module, forbidden) for modules, forbidden in RULES for module in modules]


@pytest.mark.parametrize(("module", "forbidden"), FORBIDDEN, ids=[f"{pair[0]}-{pair[1][0]}" for pair in FORBIDDEN])
def test_module_imports_nothing_forbidden_not_even_within_a_function(module: str, forbidden: tuple[str, ...]) -> None:
    assert [name for name in sorted(ALL_IMPORTS[module]) if any(within(name, bad) for bad in forbidden)] == []


@pytest.mark.parametrize("module", of_module("params"))
def test_params_imports_no_other_module_of_this_project(module: str) -> None:
    outside = [name for name in ALL_IMPORTS[module] if within(name, "cvnlp") and not within(name, "cvnlp.params")]
    assert outside in ([], ["cvnlp"])


@pytest.mark.parametrize("stage", STAGES)
def test_stage_imports_no_other_stage(stage: str) -> None:
    assert [name for name in ALL_IMPORTS[stage] if name in STAGES] == []


@pytest.mark.parametrize("module", [*TORCH_FREE, *STAGES])
def test_importing_reaches_neither_torch_nor_mlflow_through_any_module(module: str) -> None:
    heavy = [name for name in reached_at_start(module) if any(within(name, bad) for bad in (*TORCH, "mlflow"))]
    assert heavy == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    state: dict[str, str] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert state.get(module) != "open", f"circle: {' -> '.join((*path, module))}"
        if module not in state:
            state[module] = "open"
            for name in sorted(IMPORTS_AT_START[module] & TREES.keys()):
                visit(name, (*path, module))
            state[module] = "done"

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("module", [name for name in MODULES if name != "cvnlp.domain"])
def test_imports_by_a_computed_name_are_left_to_domain(module: str) -> None:
    assert not any(within(name, "importlib.import_module") for name in ALL_IMPORTS[module])
    called = {ast.unparse(node.func) for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)}
    assert not called & {"importlib.import_module", "__import__"}


# The contract ---------------------------------------------------------------------------------------------------------


def definitions(half: str, part: str) -> dict[str, ast.AST]:
    """Name -> node of all that a module of a half defines at its top, also where it is a package."""
    found: dict[str, ast.AST] = {}
    for module in of_module(f"{half}.{part}"):
        for node in TREES[module].body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found[node.name] = node
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    return found


def parameters(node: ast.AST) -> tuple[list[str], set[str]]:
    """Names before the `*`, in order, and names after it."""
    assert isinstance(node, ast.FunctionDef)
    arguments = node.args
    return [one.arg for one in (*arguments.posonlyargs, *arguments.args)], {one.arg for one in arguments.kwonlyargs}


AGREED = [(part, name) for part, names in CONTRACT.items() for name in names]
AGREED_FUNCTIONS = [
    (part, name) for part, name in AGREED if isinstance(definitions(HALVES[0], part).get(name), ast.FunctionDef)
]


@pytest.mark.parametrize(("part", "name"), AGREED)
@pytest.mark.parametrize("half", HALVES)
def test_half_has_every_name_of_the_contract(half: str, part: str, name: str) -> None:
    assert name in definitions(half, part)


@pytest.mark.parametrize(("part", "name"), AGREED)
def test_name_of_the_contract_is_of_the_same_kind_in_both_halves(part: str, name: str) -> None:
    kinds = {isinstance(definitions(half, part).get(name), ast.FunctionDef) for half in HALVES}
    assert len(kinds) == 1


# what `prepare` takes after the `*` is the half's block of params.yaml, and is compared with that below
@pytest.mark.parametrize(("part", "name"), [pair for pair in AGREED_FUNCTIONS if pair != ("data", "prepare")])
def test_function_of_the_contract_takes_the_same_arguments_in_both_halves(part: str, name: str) -> None:
    first, *others = (parameters(definitions(half, part)[name]) for half in HALVES)
    assert others == [first] * len(others)


@pytest.mark.parametrize(
    ("half", "published", "own"), [("vision", VisionDataset, OwnPictures), ("language", LanguageDataset, OwnTexts)]
)
def test_prepare_takes_the_keys_that_both_tables_of_params_have(half: str, published: type, own: type) -> None:
    """And as `**reading` those of one alone, that say what is read: `source`, or the form of the user's files."""
    node = definitions(half, "data")["prepare"]
    before, after = parameters(node)
    assert before == ["raw", "folder"]
    assert after == set(published.model_fields) & set(own.model_fields) - {"domain"}
    assert node.args.kwarg.arg == "reading"


def is_part(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"part", "domain.part"}


def names_used_of_parts() -> set[tuple[str, str, str]]:
    """(module, part, name) for every `part(half, "part").name`, also through a variable."""
    found = set()
    for module, tree in TREES.items():
        nodes = list(ast.walk(tree))
        kept = {
            ast.unparse(target): node.value.args[1].value
            for node in nodes
            if isinstance(node, ast.Assign) and is_part(node.value)
            for target in node.targets
        }
        for node in (node for node in nodes if isinstance(node, ast.Attribute)):
            if is_part(node.value):
                found.add((module, node.value.args[1].value, node.attr))
            elif ast.unparse(node.value) in kept:
                found.add((module, kept[ast.unparse(node.value)], node.attr))
    return found


@pytest.mark.parametrize(("module", "part", "name"), sorted(names_used_of_parts()))
def test_what_is_used_of_a_half_stands_in_the_contract(module: str, part: str, name: str) -> None:
    assert name in CONTRACT[part], f"{module} uses {name} of {part}"


def names_a_half(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Constant) and inner.value in HALVES for inner in ast.walk(node))


def decisions_on_a_half(tree: ast.AST) -> list[int]:
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Compare) and names_a_half(node)] + [
        node.pattern.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.match_case) and names_a_half(node.pattern)
    ]


# it tells pydantic's names of a union's branches from keys of the file, to write the path in an error
@pytest.mark.parametrize("module", [name for name in MODULES if name != "cvnlp.params.explanation"])
def test_no_code_asks_which_half_it_is_in(module: str) -> None:
    assert decisions_on_a_half(TREES[module]) == []


def test_params_names_the_halves_only_to_explain_an_error() -> None:
    allowed = [
        line
        for node in TREES["cvnlp.params.explanation"].body
        if isinstance(node, ast.FunctionDef) and node.name == "explain"
        for line in decisions_on_a_half(node)
    ]
    assert sorted(decisions_on_a_half(TREES["cvnlp.params.explanation"])) == sorted(allowed)


# Safety and size ------------------------------------------------------------------------------------------------------

PICKLERS = ("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")


@pytest.mark.parametrize("module", MODULES)
def test_module_loads_no_pickle(module: str) -> None:
    assert not [name for name in ALL_IMPORTS[module] if any(within(name, bad) for bad in PICKLERS)]
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


@pytest.mark.parametrize("module", MODULES)
def test_module_fits_in_the_head(module: str) -> None:
    assert len(PATHS[module].read_text(encoding="utf-8").splitlines()) <= 300
    functions = [node for node in ast.walk(TREES[module]) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [node.name for node in functions if node.end_lineno - node.lineno + 1 > 45] == []


@pytest.mark.parametrize("module", MODULES)
def test_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(TREES[module])
