"""The folder benchmarks/: the stages of the project, its params, published results, and a small run of it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import timing
from ruamel.yaml import YAML

from cloning import ROOT, Clone, clone_project
from cvnlp import domains, files, networks
from cvnlp.benchmark import build
from cvnlp.benchmark.paths import BenchmarkPaths
from cvnlp.catalogue import SOURCES
from cvnlp.language.models import MODELS
from cvnlp.params import read_params
from cvnlp.params.network_config import TextFormat
from cvnlp.paths import ProjectPaths
from cvnlp.report import aggregate

FOLDER = ROOT / "benchmarks"


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


PIPELINE, PROJECT = read(FOLDER / "dvc.yaml"), read(ROOT / "dvc.yaml")
SETTINGS = read_params(FOLDER / "params.yaml")
LARGER = build.read_larger(FOLDER / "larger.yaml", SETTINGS)
SHARED = sorted(PIPELINE["stages"].keys() & PROJECT["stages"].keys())


def paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


# The pipeline ---------------------------------------------------------------------------------------------------------


def test_the_stages_are_those_of_the_project_and_the_tables() -> None:
    assert SHARED == ["check", "evaluate", "prepare", "train"]
    assert set(PIPELINE["stages"]) == {*SHARED, "benchmark_tables"}


@pytest.mark.parametrize("name", SHARED)
def test_a_stage_equals_that_of_the_project_except_for_code(name: str) -> None:
    own, other = (stages["stages"][name] for stages in (PIPELINE, PROJECT))
    assert own.get("foreach") == other.get("foreach")
    own, other = (stage.get("do", stage) for stage in (own, other))
    without_code = [path for path in other["deps"] if not path.startswith("${src}")]
    assert own == other | {"deps": without_code}


def test_the_command_is_that_of_the_project() -> None:
    own, other = (
        {key: value for entry in pipeline["vars"] for key, value in entry.items()} for pipeline in (PIPELINE, PROJECT)
    )
    assert own["python"] == other["python"].replace("PYTHONPATH=src", "PYTHONPATH=../src")


def test_paths_of_the_tables_are_those_of_the_package() -> None:
    stage, own, project = PIPELINE["stages"]["benchmark_tables"], BenchmarkPaths(), ProjectPaths()
    run = project.run("name", "dataset")
    read = [own.larger, own.published, own.timings, run.prepared.parent]
    read += [path.parent for path in (run.training, run.scores, run.durations)]
    assert {Path(path) for path in stage["deps"]} == set(read)
    assert {Path(path) for path in paths(stage["outs"])} == {own.report, own.table, own.figures}


def test_results_are_in_git_and_data_is_not() -> None:
    stages = [stage.get("do", stage) for stage in PIPELINE["stages"].values()]
    outs = [out for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    for out in outs:
        path, options = (out, {}) if isinstance(out, str) else next(iter(out.items()))
        assert (options.get("cache", True) is False) == path.startswith("reports/"), path


# Params and published figures -----------------------------------------------------------------------------------------


def test_every_classifier_is_trained_on_both_sets_of_pictures() -> None:
    models = domains.DOMAINS["vision"].models.MODELS
    for dataset in ("mnist", "fashion_mnist"):
        assert {run.model.name for run in SETTINGS.runs.values() if run.dataset == dataset} == set(models)


@pytest.mark.parametrize("name", aggregate.group_by_seed(SETTINGS.runs))
def test_seeds_are_counted_from_1(name: str) -> None:
    members = [SETTINGS.runs[run] for run in aggregate.group_by_seed(SETTINGS.runs)[name]]
    assert [run.seed for run in members] == list(range(1, len(members) + 1))
    assert len(members) == 1 or members[0].train.epochs  # without training nothing is left to chance


def test_published_figures_are_of_known_data_and_have_a_source() -> None:
    published = pd.read_csv(FOLDER / "published.csv", dtype=str, keep_default_na=False)
    assert tuple(published.columns) == build.PUBLISHED
    halves = {name: source.domain for name, source in SOURCES.items()}
    halves |= {name: dataset.domain for name, dataset in SETTINGS.datasets.items()}
    assert set(SETTINGS.datasets) <= set(published["dataset"]) <= set(halves)
    for line in published.to_dict("records"):
        assert line["metric"] in domains.DOMAINS[halves[line["dataset"]]].metrics.COMPARED
        assert line["source"]
        assert re.fullmatch(r"(about )?\d+(\.\d+)?", line["figure"])


WHOLE_BLOCK = r"(?ms)^  {}:$.*?(?=^  \S|\Z)"  # a run's lines, before the next one's comment


@pytest.mark.parametrize("name", LARGER.runs)
def test_a_block_of_larger_yaml_is_valid_in_params_yaml(name: str, tmp_path: Path) -> None:
    larger = (FOLDER / "larger.yaml").read_text(encoding="utf-8")
    block = re.search(WHOLE_BLOCK.format(name), larger)
    assert block is not None
    params = (FOLDER / "params.yaml").read_text(encoding="utf-8") + "\n" + block[0]
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    (tmp_path / "larger.yaml").write_text(larger.replace(block[0], ""), encoding="utf-8")
    settings = read_params(tmp_path / "params.yaml")
    assert settings.runs[name] == LARGER.runs[name]
    assert name not in build.read_larger(tmp_path / "larger.yaml", settings).runs


# Zaremba et al. 2014 and Merity et al. 2018, as they state them
PUBLISHED_SIZES = {
    "zaremba_small_ptb_1": 4.65e6,
    "zaremba_medium_ptb_1": 20e6,
    "zaremba_large_ptb_1": 66e6,
    "awd_lstm_ptb_1": 24e6,
}


@pytest.mark.parametrize("name", PUBLISHED_SIZES)
def test_published_networks_have_the_published_size(name: str) -> None:
    run = {**SETTINGS.runs, **LARGER.runs}[name]
    network = MODELS[run.model.name](TextFormat(vocabulary_size=10_000), run.model)
    assert networks.parameter_count(network) == pytest.approx(PUBLISHED_SIZES[name], rel=0.02)


def test_merge_keys_are_read_and_overridden_by_the_run_itself(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(MERGED, encoding="utf-8")
    runs = read_params(tmp_path / "params.yaml").runs
    assert (runs["linear_1"].seed, runs["linear_2"].seed) == (1, 2)
    assert runs["linear_1"].train == runs["linear_2"].train
    assert (runs["slow"].train.lr, runs["slow"].train.epochs, runs["slow"].seed) == (0.25, 2, 2)


MERGED = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 500, test: 3500}
runs:
  linear_1: &linear
    domain: vision
    dataset: digits
    seed: 1
    model: {name: linear}
    train: &train {epochs: 2, batch_size: 100}
    evaluate: {}
    attack: {eps: [0.1]}
    insight: {}
  linear_2: &second {<<: *linear, seed: 2}
  slow: {<<: [*second], train: {<<: *train, lr: 0.25}}
"""


# Seconds per epoch ----------------------------------------------------------------------------------------------------


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The runs that a call of the script trains, without training them."""
    (tmp_path / "params.yaml").write_text(MERGED + RULES, encoding="utf-8")

    def call(*runs: str, again: bool = False) -> list[str]:
        trained: list[str] = []
        monkeypatch.setattr(
            timing, "measure", lambda settings, run, data: trained.append(run) or {"seconds_per_epoch": 1.0}
        )
        timing.measure_all(tmp_path / "params.yaml", tmp_path, tmp_path / "timings.json", list(runs) or None, again)
        return trained

    return call


RULES = """\
  rules: {<<: *linear, model: {name: rules}, train: {epochs: 0}}
  once: {<<: *linear, train: {<<: *train, epochs: 1}}
"""


def test_each_configuration_is_measured_once(measure: Callable[..., list[str]], tmp_path: Path) -> None:
    assert measure() == ["linear_1", "slow"]  # the others have no second epoch
    assert measure() == []
    assert list(files.read_json(tmp_path / "timings.json")) == ["linear", "slow"]


def test_skipped_runs_are_named(measure: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert measure("once", "rules", again=True) == []
    assert capsys.readouterr().out.splitlines() == [
        f"{name}: skipped, a run of fewer than 2 epochs" for name in ("once", "rules")
    ]


def test_a_measured_network_is_measured_again_on_request(measure: Callable[..., list[str]]) -> None:
    assert measure("slow") == ["slow"]
    assert measure("slow", again=True) == ["slow"]
    assert measure() == ["linear_1"]


def test_a_changed_network_is_measured_again_and_a_removed_one_dropped(
    measure: Callable[..., list[str]], tmp_path: Path
) -> None:
    measure()
    changed = MERGED.replace("batch_size: 100", "batch_size: 50").replace("  slow:", "  slower:")
    (tmp_path / "params.yaml").write_text(changed, encoding="utf-8")
    assert measure("linear") == ["linear_1"]
    assert list(files.read_json(tmp_path / "timings.json")) == ["linear"]


def test_an_unknown_name_is_refused_before_anything_is_trained(
    measure: Callable[..., list[str]], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="'linear_1' is unknown; valid choices: linear, once, rules, slow"):
        measure("slow", "linear_1")
    assert not (tmp_path / "timings.json").exists()


@pytest.mark.parametrize("model", ["{name: linear}", "{name: neocognitron, prototypes: 20, planes: [4, 4]}"])
def test_seconds_of_an_epoch_are_measured(vision_data: Path, tmp_path: Path, model: str) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(MERGED.replace("digits", vision_data.name).replace("{name: linear}", model), encoding="utf-8")
    found = timing.measure(read_params(params), "linear_1", vision_data.parent)
    assert found["seconds_per_epoch"] > 0
    assert found["examples_per_second"] * found["seconds_per_epoch"] == pytest.approx(300)  # pictures of the split
    assert {"processor", "threads", "torch", "device"} <= set(found)


# The whole, in a clone ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Clone:
    """The benchmarks of a clone, run once on two seeds of one network, by its own code: the table has its commit."""
    place = tmp_path_factory.mktemp("benchmarks")
    project = clone_project(place)
    made = Clone(project.folder / "benchmarks", place / "mirror")
    shutil.copy(empty_database, made.folder)
    files.write_text(made.folder / "params.yaml", MERGED.split("  slow:")[0])
    files.write_text(made.folder / "larger.yaml", MERGED.split("  linear_2:")[0].replace("linear_1", "longer"))
    files.write_json(made.folder / "reports/timings.json", {})
    project.commit()
    made.ran = made.repro()
    return made


def test_all_stages_ran_once(clone: Clone) -> None:
    runs = [f"{stage}@linear_{seed}" for stage in ("train", "evaluate") for seed in (1, 2)]
    assert sorted(clone.ran) == sorted(["check", "prepare@digits", *runs, "benchmark_tables"])
    assert clone.repro() == []


def test_the_table_is_of_the_runs(clone: Clone) -> None:
    scores = [files.read_json(clone.folder / f"reports/scores/linear_{seed}.json")["accuracy"] for seed in (1, 2)]
    table = (clone.folder / "reports/table.md").read_text(encoding="utf-8")
    assert f"{aggregate.spread(scores).scaled(100):.2f}" in table
    assert "7,840" in table
    assert re.search(r"^\| longer +\| linear +\| +7,850 +\| +7,840 +\| +2 +\| +not run ", table, re.MULTILINE)
    commit = clone("git", "rev-parse", "HEAD").strip()
    assert re.search(rf"\| {commit[:8]} +\|$", table, re.MULTILINE)


def test_the_pipeline_of_the_project_does_not_contain_them(clone: Clone) -> None:
    project = Clone(clone.folder.parent, Path(clone.environment["CVNLP_MIRROR"]), clone.server)
    assert "linear_1" not in project("dvc", "stage", "list")
    assert "linear_1" not in project("dvc", "status")


def test_git_tracks_results_and_the_lock(clone: Clone) -> None:
    listed = clone("git", "status", "--porcelain", "--untracked-files=all", ".").split("\n")
    names = {re.sub(r".*benchmarks/", "", line).strip('"') for line in listed if line}
    kinds = {Path(name).parts[1] if name.startswith("reports/") else name for name in names}
    assert kinds == {"dvc.lock", "durations", "figures", "history", "scores", "table.csv", "table.md", "training"}


def test_trainings_are_in_a_database_of_their_own(clone: Clone) -> None:
    client, experiment = clone.mlflow()
    assert sorted(run.info.run_name for run in client.search_runs([experiment])) == ["linear_1", "linear_2"]
    assert not (clone.folder.parent / "mlflow.db").exists()
