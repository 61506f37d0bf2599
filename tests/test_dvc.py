"""dvc.yaml: every stage declares the code and the files that can change its result, and no others."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cvnlp.domains import HALVES
from cvnlp.paths import ProjectPaths
from source_tree import PACKAGE, PATHS, ROOT, TREES, reached, within

PIPELINE = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
OWN = {
    "pictures": {"domain": "vision", "path": "my own pictures", "seed": 1, "size": [8, 8], "test": 0.1},
    "letters": {"domain": "language", "path": "data/own/letters", "seed": 1, "tokens": "characters", "test": 0.1},
}
# the project's params, with blocks for a user's own files
PARAMS = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"own": OWN}

# Code that a stage can run but that cannot change its outputs, with the reason.
NO_DEP = {
    "*": {
        "hand_over": "lets another process run the same code",
        "stages.command_line": "parses the arguments of a stage and words its errors",
        "progress": "shows on a terminal for how long a stage has been running",
        "paths": "names the files of a stage: a test compares them with dvc.yaml, and a missing output fails the stage",
    },
    "train": {
        "tracking": "shows the training in MLflow, which returns nothing and may be down",
        "provenance": "names the folder of interrupted work, tags MLflow's run, and states host and date",
        "catalogue": "names the published data sets, so that params.yaml is refused if it contains another",
    },
    "evaluate": {"catalogue": "as for train"},
    "attack": {"catalogue": "as for train"},
    "insight": {"catalogue": "as for train"},
    "seeds": {
        "catalogue": "as for train",
        "tracking": "keeps the date of each training, for MLflow",
        "provenance": "names the folder of interrupted work, and states commit and date",
    },
    "transfer": {
        "catalogue": "as for train",
        "language": "builds no language model: only classifiers leave attacked images",
    },
    "report": {
        "catalogue": "as for train",
        "registry": "decides what MLflow's registry offers, which is no output",
    },
}


def fill(value: Any, known: dict[str, str]) -> Any:
    """`value` with every ${name} replaced."""
    if isinstance(value, dict):
        return {fill(key, known): fill(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, known) for inner in value]
    return re.sub(r"\$\{([\w.]+)\}", lambda found: known[found[1]], value) if isinstance(value, str) else value


def expand() -> dict[str, dict[str, Any]]:
    """Every stage as DVC runs it: `train@cnn` and so on."""
    variables = {key: value for entry in PIPELINE["vars"] for key, value in entry.items()}
    stages = {}
    for name, stage in PIPELINE["stages"].items():
        if "foreach" not in stage:
            stages[name] = fill(stage, variables)
            continue
        for key, item in PARAMS[table_of(name)].items():
            fields = {f"item.{field}": str(value) for field, value in item.items()}
            stages[f"{name}@{key}"] = fill(stage["do"], variables | fields | {"key": str(key)})
    return stages


def table_of(kind: str) -> str:
    """The table of params.yaml whose blocks a stage is made for."""
    found: str = PIPELINE["stages"][kind]["foreach"]
    return found.removeprefix("${").removesuffix("}")


STAGES = expand()
FOREACH = {name: stage["foreach"] for name, stage in PIPELINE["stages"].items() if "foreach" in stage}


def split_name(name: str) -> tuple[str, str]:
    kind, _, key = name.partition("@")
    return kind, key


def paths(stage: dict[str, Any], *kinds: str) -> list[str]:
    """The paths under `deps`, `outs`, ..., with or without options."""
    entries = [entry for kind in kinds for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def outs(stage: dict[str, Any]) -> list[str]:
    return paths(stage, "outs", "metrics", "plots")


def code(stage: dict[str, Any]) -> list[str]:
    return [path for path in paths(stage, "deps") if path.startswith("src/")]


def files(stage: dict[str, Any]) -> list[str]:
    return [path for path in paths(stage, "deps") if not path.startswith("src/")]


def covers(path: str, other: str) -> bool:
    return other == path or other.startswith(f"{path}/")


def module(stage: dict[str, Any]) -> str:
    words = shlex.split(stage["cmd"])
    return words[words.index("-m") + 1]


# Code -----------------------------------------------------------------------------------------------------------------


def halves_of(name: str) -> tuple[str, ...]:
    """The half of a stage's block of params.yaml; a stage without one serves both."""
    kind, key = split_name(name)
    return (PARAMS[table_of(kind)][key]["domain"],) if key else HALVES


def has_code(name: str) -> bool:
    """Not an `__init__` with nothing but a docstring, that of the stages, which only hands over to a server, or that of
    the package, which only offers `load` to users.
    """
    if PATHS[name].name != "__init__.py":
        return True
    return name not in ("cvnlp", "cvnlp.stages") and any(not isinstance(node, ast.Expr) for node in TREES[name].body)


def deciding_code(name: str) -> set[str]:
    """The source files that can change the result of a stage."""
    left_out = (*NO_DEP["*"], *NO_DEP.get(split_name(name)[0], {}))
    modules = reached(module(STAGES[name]), halves_of(name), without=left_out)
    return {PATHS[one].relative_to(ROOT).as_posix() for one in modules if has_code(one)}


@pytest.mark.parametrize("name", STAGES)
def test_stage_depends_on_all_code_that_can_change_its_result(name: str) -> None:
    missing = [file for file in sorted(deciding_code(name)) if not any(covers(dep, file) for dep in code(STAGES[name]))]
    assert missing == []


@pytest.mark.parametrize("name", STAGES)
def test_stage_depends_on_no_other_code(name: str) -> None:
    decides = deciding_code(name)
    assert [dep for dep in code(STAGES[name]) if not any(covers(dep, file) for file in decides)] == []


@pytest.mark.parametrize("name", STAGES)
def test_code_that_a_stage_depends_on_exists_and_is_listed_once(name: str) -> None:
    listed = code(STAGES[name])
    assert [path for path in listed if not (ROOT / path).exists()] == []
    assert [path for path in listed for other in listed if path is not other and covers(path, other)] == []


@pytest.mark.parametrize(("kind", "left"), [(kind, left) for kind, table in NO_DEP.items() for left in table])
def test_every_exception_is_still_needed(kind: str, left: str) -> None:
    starts = {module(stage) for name, stage in STAGES.items() if kind in ("*", split_name(name)[0])}
    assert any(within(name, f"cvnlp.{left}") for start in starts for name in reached(start))


@pytest.mark.parametrize("name", STAGES)
def test_stage_of_one_half_depends_on_no_code_of_the_other(name: str) -> None:
    others = [f"src/cvnlp/{half}" for half in HALVES if half not in halves_of(name)]
    assert [dep for dep in code(STAGES[name]) for other in others if covers(other, dep) or covers(dep, other)] == []


@pytest.mark.parametrize("folder", ["report", *(f"{half}/report" for half in HALVES)])
def test_a_change_of_report_code_reruns_the_report_alone(folder: str) -> None:
    users = {name for name, stage in STAGES.items() if any(covers(f"src/cvnlp/{folder}", dep) for dep in code(stage))}
    assert users == {"report"}


def test_published_and_own_data_are_prepared_by_the_same_code() -> None:
    assert code(PIPELINE["stages"]["prepare"]["do"]) == code(PIPELINE["stages"]["prepare_own"]["do"])


# Files ----------------------------------------------------------------------------------------------------------------

PROJECT = ProjectPaths()
RUN = {  # the attributes of RunPaths that each stage reads and writes
    "train": ({"prepared"}, {"model", "history", "training"}),
    "evaluate": ({"prepared", "model"}, {"evaluation", "scores"}),
    "attack": ({"prepared", "model"}, {"attacked", "attacks", "attack_table"}),
    "insight": ({"prepared", "model"}, {"insight", "insights"}),
    "seeds": ({"chosen_seeds", "prepared", "scores"}, {"seeds", "seed_scores"}),
}
UNDECLARED = {
    "durations": "seconds, host and date differ every time: no result",
    "attack_durations": "seconds of each attack, for the same reason",
    "records": "commit, date and MLflow run of each training, for the same reason",
    "resume": "the state of an interrupted training, removed when the stage ends",
    "figures": "a part of the report's figures",
    "tuning": "the state of `cvnlp tune`, which is no stage",
    "trials": "results of `cvnlp tune`, which a project may have or not: `report` depends on their folder",
}


def expected_files(name: str) -> tuple[set[Path], set[Path]]:
    """What a stage reads and writes by src/cvnlp/paths.py."""
    kind, key = split_name(name)
    if kind == "check":
        return {PROJECT.params}, {PROJECT.params_valid, PROJECT.chosen_seeds}
    if kind == "prepare":
        return {PROJECT.params_valid}, {PROJECT.prepared(key)}
    if kind == "prepare_own":
        return {PROJECT.params_valid, Path(OWN[key]["path"])}, {PROJECT.prepared(key)}
    if kind == "transfer":
        run = PROJECT.run("cnn", "mnist_sample")
        return {run.model.parent, run.attacked.parent}, {PROJECT.transfer, PROJECT.transfer_gains}
    if kind == "report":
        runs = [PROJECT.run(run, block["dataset"]) for run, block in PARAMS["runs"].items()]
        read = {getattr(run, name).parent for run in runs for _, written in RUN.values() for name in written}
        prepared = {PROJECT.prepared(dataset).parent for dataset in PARAMS["datasets"]}
        others = {PROJECT.transfer, PROJECT.transfer_gains, PROJECT.trials}
        written = {PROJECT.figures, PROJECT.report, PROJECT.report_page, PROJECT.tracked}
        return read | prepared | others, written
    run = PROJECT.run(key, PARAMS["runs"][key]["dataset"])
    read, written = ({getattr(run, name) for name in names} for names in RUN[kind])
    return read | ({PROJECT.params_valid} if kind == "train" else set()), written


@pytest.mark.parametrize("name", STAGES)
def test_paths_are_those_of_the_package(name: str) -> None:
    read, written = expected_files(name)
    assert {Path(path) for path in files(STAGES[name])} == read
    assert {Path(path) for path in outs(STAGES[name])} == written


def test_every_path_of_a_run_is_declared_or_excused() -> None:
    run = PROJECT.run("cnn", "mnist_sample")
    declared = {name for read, written in RUN.values() for name in read | written}
    attributes = {name for name, value in vars(type(run)).items() if isinstance(value, property)}
    assert attributes == declared | set(UNDECLARED)
    excused = [getattr(run, name) for name in UNDECLARED if name not in ("figures", "trials")]
    used = {Path(path) for stage in STAGES.values() for path in (*files(stage), *outs(stage))}
    assert [path for path in used for other in excused if path in (other, *other.parents)] == []


@pytest.mark.parametrize("name", STAGES)
def test_what_a_stage_reads_is_written_by_another(name: str) -> None:
    by_hand = {"params.yaml", "reports/tuning", *(str(block["path"]) for block in OWN.values())}
    written = {path for other, stage in STAGES.items() if other != name for path in outs(stage)} | by_hand
    unwritten = [path for path in files(STAGES[name]) if not any(covers(path, out) for out in written)]
    assert [path for path in unwritten if Path(path).parent != PROJECT.chosen_seeds] == []  # in an output of `check`


def upstream(name: str) -> set[str]:
    """The stages whose outputs a stage reads, and those that they depend on in turn."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        read = files(STAGES[waiting.pop()])
        writers = {
            other
            for other, stage in STAGES.items()
            for out in outs(stage)
            if any(covers(path, out) or covers(out, path) for path in read)
        }
        waiting += writers - found
        found |= writers
    return found


@pytest.mark.parametrize("name", [name for name in STAGES if name != "check"])
def test_params_are_checked_before_outputs_are_removed(name: str) -> None:
    """DVC runs `check` before every other stage, which depends on it directly or through another."""
    assert "check" in upstream(name)


def test_no_file_is_written_by_two_stages() -> None:
    written = [path for stage in STAGES.values() for path in outs(stage)]
    assert len(written) == len(set(written))


# Commands and params --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAGES)
def test_command_runs_the_stage_on_its_block(name: str) -> None:
    kind, key = split_name(name)
    words = shlex.split(STAGES[name]["cmd"])
    place = words.index("-m")
    stage = kind.removesuffix("_own")
    item = {"": [], "datasets": ["--dataset", key], "own": ["--dataset", key], "runs": ["--run", key]}
    assert words[0] == "PYTHONPATH=src" and words[place - 1] == "python"
    assert words[place + 1 :] == [f"cvnlp.stages.{stage}", *item[table_of(kind) if key else ""]]


@pytest.mark.parametrize("name", STAGES)
def test_params_of_a_stage_are_keys_of_params_yaml(name: str) -> None:
    for key in STAGES[name].get("params", []):
        value = PARAMS
        for step in key.split("."):
            assert step in value, key
            value = value[step]


def test_stages_are_made_from_the_tables_of_params() -> None:
    runs = dict.fromkeys(("train", "evaluate", "attack", "insight", "seeds"), "${runs}")
    assert {"prepare": "${datasets}", "prepare_own": "${own}", **runs} == FOREACH


def test_pipeline_has_every_stage_of_the_package() -> None:
    """Except `benchmark_tables`, which only the pipeline of benchmarks/ has."""
    written = {path.stem for path in (PACKAGE / "stages").glob("*.py")}
    written -= {"__init__", "command_line", "benchmark_tables"}
    assert written == set(PIPELINE["stages"]) - {"prepare_own"}  # the same stage for the user's files


@pytest.mark.parametrize("kind", ["train", "evaluate", "attack", "insight"])
def test_block_of_a_stage_reruns_that_stage_alone(kind: str) -> None:
    """`runs.cnn.attack` is a param of attack@cnn and of report, and of nothing else; other seeds repeat two stages."""
    repeated = ["seeds"] if kind in ("train", "evaluate") else []
    for key in PARAMS["runs"]:
        users = {name for name, stage in STAGES.items() if f"runs.{key}.{kind}" in stage.get("params", [])}
        assert users == {f"{name}@{key}" for name in (kind, *repeated)}


def test_the_stage_of_the_seeds_has_code_and_params_of_the_stages_that_it_repeats() -> None:
    train, evaluate, seeds = (PIPELINE["stages"][kind]["do"] for kind in ("train", "evaluate", "seeds"))
    stages = {"${src}/stages/train.py", "${src}/stages/evaluate.py"}
    assert {path for stage in (train, evaluate) for path in stage["deps"] if path.startswith("${src}")} - stages <= {
        *seeds["deps"]
    }
    assert {*seeds["params"]} == {*train["params"], *evaluate["params"]}


def test_the_results_of_a_run_are_all_that_its_stages_write() -> None:
    run = PROJECT.run("cnn", "mnist_sample")
    written = {getattr(run, name) for _, names in RUN.values() for name in names}
    assert set(run.results()) == written | {run.durations, run.attack_durations, run.records, run.tuning, run.trials}
