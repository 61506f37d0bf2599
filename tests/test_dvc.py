"""dvc.yaml tells the truth: every stage names the code and the files that decide its result, and no others."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cvnlp.domains import HALVES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PIPELINE = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
OWN = {"domain": "vision", "path": "my own pictures", "seed": 1, "size": [8, 8], "validation": 0.1, "test": 0.1}
# the project's params, and a user's block beside them
PARAMS = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"own": {"mine": OWN}}

ITEMS = ("params", "dataset", "run")  # arguments that are followed by DVC through `params`, not as a file
UNDECLARED = {
    "raw": "files as fetched: their digests stand in sources, a dep, and they do not exist before the first run",
    "resume": "the state of an interrupted training, gone when the stage is done",
}
NAMES = "the names of the sources, by which a params.yaml with another is refused"
# Code that a stage runs but that cannot change its outputs, with the reason.
NO_DEP = {
    "*": {
        "command.py": "how a stage is started and how its failure is worded",
        "memory.py": "whether freed memory stays with the process",
    },
    "train": {
        "tracking": "MLflow is told of the training and tells nothing back; it may even be down",
        "provenance.py": "names the folder of interrupted work, tags MLflow's run, and states host and date",
        "sources": NAMES,
    },
    "evaluate": {"sources": NAMES},
    "attack": {"sources": NAMES},
    "insight": {"sources": NAMES},
    "report": {"sources": NAMES},
}


def filled(value: Any, known: dict[str, str]) -> Any:
    """`value` with every ${name} replaced."""
    if isinstance(value, dict):
        return {filled(key, known): filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    return re.sub(r"\$\{([\w.]+)\}", lambda found: known[found[1]], value) if isinstance(value, str) else value


def expanded() -> dict[str, dict[str, Any]]:
    """Every stage as DVC runs it: `train@cnn` and so on."""
    variables = {key: value for entry in PIPELINE["vars"] for key, value in entry.items()}
    stages = {}
    for name, stage in PIPELINE["stages"].items():
        if "foreach" not in stage:
            stages[name] = filled(stage, variables)
            continue
        table = stage["foreach"].removeprefix("${").removesuffix("}")
        for key, item in PARAMS[table].items():
            fields = {f"item.{field}": str(value) for field, value in item.items()}
            stages[f"{name}@{key}"] = filled(stage["do"], variables | fields | {"key": str(key)})
    return stages


STAGES = expanded()
FOREACH = {name: stage["foreach"] for name, stage in PIPELINE["stages"].items() if "foreach" in stage}


def listed(stage: dict[str, Any], *kinds: str) -> list[str]:
    """The paths under `deps`, `outs`, ..., whether or not options follow them."""
    entries = [entry for kind in kinds for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def outs(stage: dict[str, Any]) -> list[str]:
    return listed(stage, "outs", "metrics", "plots")


def code(stage: dict[str, Any]) -> list[str]:
    return [path for path in listed(stage, "deps") if path.startswith("src/")]


def files(stage: dict[str, Any]) -> list[str]:
    return [path for path in listed(stage, "deps") if not path.startswith("src/")]


def covers(path: str, other: str) -> bool:
    return other == path or other.startswith(f"{path}/")


def arguments(stage: dict[str, Any]) -> dict[str, str]:
    words = shlex.split(stage["cmd"])
    return {word.removeprefix("--"): words[place + 1] for place, word in enumerate(words) if word.startswith("--")}


def module(stage: dict[str, Any]) -> str:
    words = shlex.split(stage["cmd"])
    return words[words.index("-m") + 1]


# Which code a stage runs ----------------------------------------------------------------------------------------------


def file_of(name: str) -> Path | None:
    """The source file of a dotted name, None if it is no module of this project."""
    path = SOURCE.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING`, which never run."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from executed(child)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in executed(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))


def parts(tree: ast.AST) -> Iterator[str]:
    """The names in `part(half, "name")`."""
    for node in executed(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"part", "domain.part"}:
            name = node.args[1]
            assert isinstance(name, ast.Constant), "part() is called with the part's name as a literal"
            yield name.value


def reached(start: str, halves: tuple[str, ...], without: tuple[str, ...] = ()) -> set[str]:
    """The files that the module `start` can run for these halves, not going on into those `without`.

    domain.py's own use of the halves is left out: it reads which names there are, to refuse a params.yaml with
    another, and by that no result can change.
    """
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        file = file_of(waiting.pop())
        place = "" if file is None else file.relative_to(ROOT).as_posix()
        if not place or place in seen or any(covers(f"src/cvnlp/{left}", place) for left in without):
            continue
        seen.add(place)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        waiting += imported(tree)
        if place != "src/cvnlp/domain.py":
            waiting += [f"cvnlp.{half}.{name}" for name in parts(tree) for half in halves]
    return {place for place in seen if not only_a_docstring(ROOT / place)}


def only_a_docstring(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return path.name == "__init__.py" and all(isinstance(node, ast.Expr) for node in body)


def halves_of(name: str) -> tuple[str, ...]:
    """The half of a stage's item; a stage without items serves both."""
    kind, _, key = name.partition("@")
    return (PARAMS[FOREACH[kind].strip("${}")][key]["domain"],) if key else HALVES


def no_dep(name: str) -> tuple[str, ...]:
    return (*NO_DEP["*"], *NO_DEP.get(name.partition("@")[0], {}))


@pytest.mark.parametrize("name", STAGES)
def test_stage_depends_on_all_the_code_that_could_change_its_result(name: str) -> None:
    run = reached(module(STAGES[name]), halves_of(name), no_dep(name))
    missing = [file for file in sorted(run) if not any(covers(dep, file) for dep in code(STAGES[name]))]
    assert missing == []


@pytest.mark.parametrize("kind", PIPELINE["stages"])
def test_stage_depends_on_no_code_that_it_never_runs(kind: str) -> None:
    """For one half at least: both are written in the same lines of dvc.yaml."""
    stage = PIPELINE["stages"][kind].get("do", PIPELINE["stages"][kind])
    run = reached(module(filled(stage, known_of(kind))), HALVES)
    for dep in (path for path in listed(stage, "deps") if path.startswith("src/")):
        assert any(covers(filled(dep, {"item.domain": half}), file) for half in HALVES for file in run), dep


def known_of(kind: str) -> dict[str, str]:
    return {
        "item.domain": "",
        "item.dataset": "",
        "item.path": "",
        "key": "",
        **{k: v for e in PIPELINE["vars"] for k, v in e.items()},
    }


@pytest.mark.parametrize(("kind", "left"), [(kind, left) for kind, table in NO_DEP.items() for left in table])
def test_every_exception_is_still_needed(kind: str, left: str) -> None:
    starts = [module(stage) for name, stage in STAGES.items() if kind in ("*", name.partition("@")[0])]
    assert any(covers(f"src/cvnlp/{left}", file) for start in starts for file in reached(start, HALVES))


@pytest.mark.parametrize("name", STAGES)
def test_code_that_a_stage_depends_on_exists(name: str) -> None:
    assert [path for path in code(STAGES[name]) if not (ROOT / path).exists()] == []


# Which files it reads and writes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAGES)
def test_command_names_the_declared_files_and_no_others(name: str) -> None:
    stage = STAGES[name]
    undeclared = {flag for flag in UNDECLARED if arguments(stage).get(flag) != OWN["path"]}
    given = {path for flag, path in arguments(stage).items() if flag not in (*ITEMS, *undeclared)}
    assert given == {*files(stage), *outs(stage)}


@pytest.mark.parametrize("flag", UNDECLARED)
def test_undeclared_file_is_neither_dep_nor_out(flag: str) -> None:
    places = {arguments(stage)[flag] for stage in STAGES.values() if flag in arguments(stage)} - {OWN["path"]}
    assert places
    declared = {path for stage in STAGES.values() for path in (*files(stage), *outs(stage))}
    assert not [path for path in declared for place in places if covers(path, place) or covers(place, path)]


@pytest.mark.parametrize("name", STAGES)
def test_what_a_stage_reads_is_written_by_another(name: str) -> None:
    written = {path for other, stage in STAGES.items() if other != name for path in outs(stage)} | {OWN["path"]}
    assert [path for path in files(STAGES[name]) if not any(covers(path, out) for out in written)] == []


def test_no_file_is_written_by_two_stages() -> None:
    written = [path for stage in STAGES.values() for path in outs(stage)]
    assert len(written) == len(set(written))


def test_durations_are_in_no_stage_s_deps() -> None:
    durations = [path for stage in STAGES.values() for path in outs(stage) if "durations" in path]
    assert durations
    assert not [
        path
        for stage in STAGES.values()
        for path in files(stage)
        for out in durations
        if covers(path, out) or path in out
    ]


@pytest.mark.parametrize("name", STAGES)
def test_params_of_a_stage_are_keys_of_params_yaml(name: str) -> None:
    for key in STAGES[name]["params"]:
        value = PARAMS
        for step in key.split("."):
            assert step in value, key
            value = value[step]


@pytest.mark.parametrize("name", STAGES)
def test_stage_is_given_params_yaml(name: str) -> None:
    assert arguments(STAGES[name])["params"] == "params.yaml"


def test_a_change_of_own_files_prepares_them_again() -> None:
    assert files(STAGES["prepare_own@mine"]) == [OWN["path"]]


def test_published_and_own_data_are_prepared_by_the_same_code() -> None:
    published, own = (code(STAGES[name]) for name in ("prepare@mnist_sample", "prepare_own@mine"))
    assert published == own


def test_stages_are_made_from_the_tables_of_params() -> None:
    tables = {
        "prepare": "${datasets}",
        "prepare_own": "${own}",
        "train": "${runs}",
        "evaluate": "${runs}",
        "attack": "${runs}",
        "insight": "${runs}",
    }
    assert tables == FOREACH


def test_every_stage_of_the_package_stands_in_the_pipeline() -> None:
    """But for `compare`, which is of the benchmarks' pipeline alone."""
    written = {path.stem for path in (SOURCE / "cvnlp" / "stages").glob("*.py")} - {"__init__", "compare"}
    assert written == set(PIPELINE["stages"]) - {"prepare_own"}  # the same stage for the user's files
    assert {module(stage) for stage in STAGES.values()} == {f"cvnlp.stages.{name}" for name in written}


@pytest.mark.parametrize("kind", [kind for kind in FOREACH if FOREACH[kind] == "${runs}"])
def test_block_of_a_stage_reruns_that_stage_alone(kind: str) -> None:
    """`runs.cnn.attack` is a param of attack@cnn and of report, and of nothing else."""
    for key in PARAMS["runs"]:
        users = {name for name, stage in STAGES.items() if f"runs.{key}.{kind}" in stage["params"]}
        assert users == {f"{kind}@{key}"}
