"""The source files of src/cvnlp as data for tests: their imports, rooms and reachable modules."""

import ast
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from cvnlp.domains import HALVES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "cvnlp"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in PATHS.items()}
PACKAGES = {name for name, path in PATHS.items() if path.name == "__init__.py"}


def within(name: str, package: str) -> bool:
    """Whether a dotted name is the package or lies inside it."""
    return name == package or name.startswith(f"{package}.")


def modules_of(*packages: str) -> list[str]:
    return [name for name in PATHS if any(within(name, f"cvnlp.{package}") for package in packages)]


def room(module: str) -> str:
    """`cvnlp.vision.data.own` belongs to `vision.data`, `cvnlp.report.plots` to `report`, `cvnlp.files` to `files`."""
    steps = module.split(".")[1:]
    return ".".join(steps[:2] if steps and steps[0] in HALVES else steps[:1])


def executed(node: ast.AST, *, in_functions: bool = True, without: tuple[type, ...] = ()) -> Iterator[ast.AST]:
    """All nodes except those under `if TYPE_CHECKING`; without `in_functions` only those that run at import.

    `without`: kinds of nodes that are left out, with all that they contain.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, without):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        if in_functions or not isinstance(child, FUNCTIONS):
            yield from executed(child, in_functions=in_functions, without=without)


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Dotted names of all imports, with the packages around them, whose `__init__` runs first.

    `from a.b import c` imports a, a.b and, if it is a module, a.b.c.
    """
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "this project uses no relative imports"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names | {package for name in names for package in parents(name)}


def parents(name: str) -> list[str]:
    steps = name.split(".")
    return [".".join(steps[:length]) for length in range(1, len(steps))]


IMPORTS, IMPORTS_AT_START = (  # imports are statements, and no expression contains any
    {name: imported(executed(tree, in_functions=inner, without=(ast.expr,))) for name, tree in TREES.items()}
    for inner in (True, False)
)


def is_domain(node: ast.AST) -> bool:
    """Whether the node is `DOMAINS[...]`."""
    return isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("DOMAINS", "domains.DOMAINS")


@cache
def rooms_of_domains(module: str) -> frozenset[str]:
    """The rooms that a module uses of a half: `DOMAINS[half].data`, also through a variable."""
    nodes = list(executed(TREES[module]))
    variables = {
        ast.unparse(target)
        for node in nodes
        if isinstance(node, ast.Assign) and is_domain(node.value)
        for target in node.targets
    }
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    return frozenset(one.attr for one in attributes if is_domain(one.value) or ast.unparse(one.value) in variables)


def reached_at_start(module: str) -> set[str]:
    """All names that importing `module` imports, directly or through other modules of this project."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [*parents(name), *IMPORTS_AT_START.get(name, ())]
    return seen


def reached(start: str, halves: Collection[str] = HALVES, without: Collection[str] = ()) -> set[str]:
    """All modules that `start` can run for these halves, lazily imported ones too; nothing behind those `without`."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in PATHS or name in seen or any(within(name, f"cvnlp.{package}") for package in without):
            continue
        seen.add(name)
        waiting += [*parents(name), *IMPORTS[name]]
        waiting += [f"cvnlp.{half}.{used}" for used in rooms_of_domains(name) for half in halves]
    return seen
