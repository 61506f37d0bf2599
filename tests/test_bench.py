"""`make bench` on tiny inputs: both sides of a measure do the same work, with today's options of the pipeline."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from bench import (
    __main__,
    attacks,
    character_recipe,
    comparison,
    image_recipe,
    levels,
    loading,
    memory,
    no_op,
    our_training,
    preparing,
    processes,
    repeated,
    rounds,
    runner,
    stage_start,
    start_up,
    training_loop,
)
from bench.measures import MEASURES, Measure
from bench.results import Pairs, Report, Row, read_report
from bench.setting import ROOT, NotMeasuredError, Setting

from cvnlp.data import prepared
from cvnlp.domains import DOMAINS, HALVES
from cvnlp.params import read_params
from cvnlp.params.runs import VisionRun
from cvnlp.paths import ProjectPaths
from make_bench_setting import make_setting

IMAGES = 300  # of the training split


@pytest.fixture(scope="module")
def setting(vision_data: Path, language_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return make_setting(tmp_path_factory.mktemp("project"), vision_data, language_data)


def block(setting: Setting) -> VisionRun:
    found = setting.run("cnn")
    assert isinstance(found, VisionRun)
    return found


# Rounds, results and their comparison ---------------------------------------------------------------------------------


def test_the_faster_of_two_has_a_ratio_above_one() -> None:
    pairs = rounds.compare_rates(partial(count, 1000), partial(count, 1000, repeats=200), 3)
    assert len(pairs.ours) == 3 and pairs.ratio > 1


def test_different_amounts_of_work_are_not_compared() -> None:
    with pytest.raises(ValueError, match="1000 against 900 examples are not the same work"):
        rounds.compare_rates(partial(count, 1000), partial(count, 900), 1)


def count(steps: int, *, repeats: int = 1) -> int:
    for _ in range(repeats):
        total = sum(1 for _ in range(steps))
    return total


def test_the_ratio_is_the_median_over_rounds() -> None:
    assert Pairs(ours=[1.0, 10.0, 3.0], baseline=[2.0, 1.0, 4.0]).ratio == 0.75


def make_row(ratio: float, better: Any = "lower", **options: Any) -> Row:
    pairs = Pairs(ours=[ratio], baseline=[1.0])
    return Row(unit="s", better=better, against="it", load=0.0, seconds=1.0, pairs=pairs, **options)


def make_report(**rows: Row) -> Report:
    return Report(machine={"processor": "one"}, form="quick", rows=rows)


@pytest.mark.parametrize(
    ("better", "now", "worse"),
    [("lower", 1.1, False), ("lower", 1.2, True), ("lower", 0.1, False), ("higher", 0.9, False), ("higher", 0.8, True)],
)
def test_a_ratio_that_is_worse_by_more_than_the_tolerance_is_named(better: Any, now: float, worse: bool) -> None:
    found = comparison.compare(make_report(a=make_row(1.0, better)), make_report(a=make_row(now, better)), 0.15)
    assert found == (["a"] if worse else [])


def test_measures_of_one_side_only_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert comparison.compare(make_report(a=make_row(1.0)), make_report(b=make_row(9.0))) == []
    assert capsys.readouterr().out.splitlines()[-2:] == ["only before: a", "new: b"]


def test_the_command_compares_files(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    make_report(a=make_row(1.0)).save(old)
    make_report(a=make_row(1.1)).save(new)
    assert read_report(old).rows["a"].pairs.ratio == 1.0
    assert __main__.compare_reports(old, new, 0.15) is None
    assert __main__.compare_reports(old, new, 0.05) == "error: worse by more than 5%: a"
    assert "no such file" in str(__main__.compare_reports(tmp_path / "none.json", new, 0.15))
    new.write_text("{}")
    assert "is no result of `make bench`" in str(__main__.compare_reports(old, new, 0.15))


def test_a_missed_bound_is_in_the_table() -> None:
    assert "<= 1.1 missed" in runner.table_line("a", make_row(1.2, bound=1.1))
    assert ">= 1.1 " in runner.table_line("a", make_row(1.2, "higher", bound=1.1))
    assert "missed" not in runner.table_line("a", make_row(1.2, "higher", bound=1.1))


def make_measure(name: str, run: Any, **options: Any) -> Measure:
    return Measure(name, "s", "lower", "it", run, **options)


def test_what_lacks_data_or_fails_is_named_and_the_rest_goes_on(
    setting: Setting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(setting: Setting) -> Pairs:
        raise RuntimeError("not today")

    two = {"a": Pairs(ours=[1.0], baseline=[2.0]), "b": Pairs(ours=[1.0], baseline=[1.0])}
    measures = [
        make_measure("absent", lambda setting: setting.prepared_whole("ptb")),
        make_measure("failing", fail),
        make_measure("two", lambda setting: two),
        make_measure("rounds", lambda setting: Pairs(ours=[setting.rounds], baseline=[1.0]), quick_rounds=2),
    ]
    assert runner.run_all(setting, tmp_path / "bench.json", measures) == ["failing"]
    report = read_report(tmp_path / "bench.json")
    assert {name: row.pairs.ratio for name, row in report.rows.items()} == {"two_a": 0.5, "two_b": 1.0, "rounds": 2.0}
    assert report.not_measured["failing"] == "RuntimeError: not today"
    assert "run `dvc repro prepare@ptb` in benchmarks/" in report.not_measured["absent"]
    assert "absent" in capsys.readouterr().out
    assert {"processor", "torch", "threads"} <= {*report.machine}


def test_without_time_nothing_is_started(setting: Setting, tmp_path: Path) -> None:
    measure = make_measure("late", lambda setting: pytest.fail("started"))
    assert runner.run_all(setting, tmp_path / "bench.json", [measure], minutes=-1.0) == []
    assert "--only late" in read_report(tmp_path / "bench.json").not_measured["late"]


def test_the_quick_form_is_a_part_of_the_full_one() -> None:
    quick, full = ([one.name for one in runner.chosen([], full=form)] for form in (False, True))
    assert {*quick} < {*full} and len({*full}) == len(full) == len(MEASURES)
    assert [one.name for one in runner.chosen([full[-1]], full=False)] == [full[-1]]


# Processes and data ---------------------------------------------------------------------------------------------------


def test_the_memory_of_a_process_is_its_own(tmp_path: Path) -> None:
    size = 2**27
    used = processes.measure(processes.python("-c", f"b = b'x' * {size}; import time; time.sleep(0.2)"), tmp_path)
    assert size < used.peak < 2 * size and size < used.anonymous <= used.peak
    assert used.seconds > 0.2
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3: .*wrong"):
        processes.measure(processes.python("-c", "import sys; print('wrong'); sys.exit(3)"), tmp_path)


def test_images_are_repeated_without_duplicates(vision_data: Path, tmp_path: Path) -> None:
    repeated.prepare_images(vision_data, tmp_path, 1000)
    facts = prepared.read_facts(tmp_path, prepared.VisionFacts)
    assert sum(facts.sizes.values()) == 1000
    assert not any(facts.duplicates.within.values()) and not any(facts.duplicates.across.values())


def test_a_text_is_repeated_in_documents(language_data: Path, tmp_path: Path) -> None:
    texts = repeated.read_text(language_data, 5000, document=2000)
    lengths = [len(read().split("\n", 1)[1]) for read in texts.documents.values()]
    assert lengths == [2000, 2000, 1000]
    repeated.prepare_text(language_data, tmp_path, 400_000, held_out=0.25)
    facts = prepared.read_facts(tmp_path, prepared.LanguageFacts)
    assert sum(facts.sizes.values()) == pytest.approx(400_000, rel=0.01)


# Loading, preparing and training --------------------------------------------------------------------------------------


def test_loading_is_compared_on_the_same_images(vision_data: Path, tmp_path: Path) -> None:
    assert loading.load_images(vision_data) == loading.FolderOfImages(vision_data, tmp_path).load() == IMAGES


def test_loading_is_compared_on_almost_the_same_tokens(language_data: Path) -> None:
    ours, baseline = loading.load_text(language_data), loading.load_window_by_window(language_data)
    assert ours > 0
    assert abs(ours - baseline) < 32 * loading.WINDOW


def test_trainings_see_the_same_images(setting: Setting, vision_data: Path) -> None:
    trainings = (training_loop.train_with_the_pipeline, training_loop.train_in_a_loop)
    assert [train(vision_data, block(setting), 64) for train in trainings] == [training_loop.EPOCHS * IMAGES] * 2


def test_trainings_are_compared_on_repeated_images(setting: Setting) -> None:
    assert training_loop.measure(setting, batch_size=64, images=1000).ratio > 0


def test_images_are_prepared_in_a_process_whose_memory_is_measured(vision_data: Path, tmp_path: Path) -> None:
    preparing.write_images(vision_data, tmp_path / "images", 500)
    seconds, peak = preparing.prepare(tmp_path / "images", tmp_path / "prepared")
    facts = prepared.read_facts(tmp_path / "prepared", prepared.VisionFacts)
    assert sum(facts.sizes.values()) == 500
    assert not any(facts.duplicates.within.values())
    assert preparing.decode_in_a_loop(tmp_path / "images") > 0
    assert seconds > 0
    assert peak > 10 * 2**20


# Seconds to a score ---------------------------------------------------------------------------------------------------


def test_the_first_validation_that_reaches_a_level_counts() -> None:
    found = levels.first_times([0.5, 0.9, 0.8, 0.95], [1.0, 2.0, 3.0, 4.0], [0.9, 0.94, 0.99])
    assert found.seconds == {"0.9": 2.0, "0.94": 4.0, "0.99": None}
    assert (found.total, found.best) == (4.0, 0.95)
    assert levels.first_times([3.0, 1.4], [1.0, 2.0], [1.5], higher=False).seconds == {"1.5": 2.0}


def make_training(best: float, total: float = 10.0) -> Any:
    return lambda seed: levels.first_times([0.5, best], [total / 2, total], [0.9, 0.99])


def test_a_level_that_the_baseline_misses_bounds_the_ratio() -> None:
    found = levels.compare({0.9: make_training(0.99, 1.0), 0.99: make_training(0.99, 2.0)}, make_training(0.95), 2)
    assert found["0.9"].ratio == 0.1 and found["0.9"].baseline_reached
    assert found["0.99"].ratio == 0.2 and not found["0.99"].baseline_reached
    with pytest.raises(ValueError, match=r"to 0\.99 reached only 0\.95"):
        levels.compare({0.99: make_training(0.95)}, make_training(0.99), 1)


def test_the_usual_network_learns_and_stops_at_the_level(vision_data: Path) -> None:
    found = image_recipe.train(vision_data, seed=1, epochs=14, levels=[0.5])
    assert found.best >= 0.5 and found.seconds["0.5"] == found.total > 0
    missed = image_recipe.train(vision_data, seed=1, epochs=1, levels=[2.0])
    assert missed.seconds == {"2.0": None} and missed.total > 0


def test_the_parts_of_an_epoch_have_every_image_once() -> None:
    rows = torch.cat([row for part in image_recipe.parts(1000) for row in part])
    assert sorted(rows.tolist()) == [*range(1000)]
    assert len([*image_recipe.parts(1000)]) == image_recipe.VALIDATIONS


def test_the_usual_network_has_the_published_size() -> None:
    assert sum(parameter.numel() for parameter in image_recipe.Network().parameters()) == 1_199_882


def test_the_usual_character_model_learns(language_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(character_recipe, "VALIDATED_EVERY", 4 * 2500)
    found = character_recipe.train(language_data, seed=1, seconds=60.0, level=3.0)
    assert found.best <= 3.0 and found.seconds["3.0"] == found.total


def test_validation_of_characters_is_the_mean_over_all_targets(language_data: Path) -> None:
    torch.manual_seed(1)
    tokens = prepared.load_array(language_data, "validation")
    data = character_recipe.in_columns(tokens, 3)
    model = character_recipe.Model(int(tokens.max()) + 1)
    logits, _ = model(data[:, :-1], None)
    expected = torch.nn.functional.cross_entropy(logits, data[:, 1:].flatten())
    assert character_recipe.validate(model, data) == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("dataset", our_training.RECIPES)
def test_our_recipes_are_valid_runs_of_their_data_set(dataset: str) -> None:
    for recipe in our_training.RECIPES[dataset].values():
        assert recipe.block().dataset == dataset


def test_ours_is_trained_by_the_pipeline(setting: Setting, vision_data: Path) -> None:
    run = our_training.RECIPES["mnist"][0.99].block()
    run = run.model_copy(update={"train": run.train.model_copy(update={"epochs": 2, "threads": 1, "precision": "32"})})
    found = our_training.train(run, ProjectPaths(setting.whole).prepared("mnist").parent, 0.01)
    assert 0 < found.seconds["0.01"] <= found.total


# Attacks, start of stages, memory, no-op ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", attacks.METHODS)
def test_both_attack_the_same_digits(setting: Setting, name: str) -> None:
    method = attacks.METHODS[name]
    short = {"steps": 2} if hasattr(method.options, "steps") else {"queries": 2}
    options = method.options.model_copy(update=short)
    found = attacks.measure(setting, method=replace(method, options=options), count=10)
    assert found.ratio > 0
    assert {*found.details} == {"accuracy", "accuracy_of_library"}


def test_a_stage_is_timed_until_its_work_starts(setting: Setting) -> None:
    found = start_up.measure(setting, stage="train")
    assert len(found.ours) == 1 and found.ours[0] > 0 and found.baseline[0] > 0


@pytest.mark.parametrize("stage", stage_start.WORK)
def test_the_work_of_a_stage_exists(stage: str) -> None:
    room, function = stage_start.WORK[stage]
    assert all(callable(getattr(getattr(DOMAINS[half], room), function)) for half in HALVES)


def test_the_report_starts_without_results(setting: Setting) -> None:
    assert start_up.measure(setting, stage="report").ours[0] > 0


def test_a_process_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)did not start: .*wrong"):
        start_up.seconds_to_start(processes.python("-c", "raise ValueError('wrong')"), tmp_path)


def test_the_memory_of_a_stage_is_more_than_that_of_its_imports(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "STAGES", ("train",))
    found = memory.measure(setting, run="cnn")
    assert [*found] == ["train"] and found["train"].ratio > 1
    assert 0 < found["train"].details["anonymous"] < found["train"].ours[0]


def test_a_pipeline_with_something_to_do_is_not_measured(setting: Setting) -> None:
    with pytest.raises(NotMeasuredError, match="something to do: run `make repro`"):
        no_op.measure(setting)


def test_results_of_the_committed_form_can_be_read() -> None:
    if not __main__.REFERENCE.is_file():
        pytest.skip("no results yet")
    report = read_report(__main__.REFERENCE)
    names = tuple(measure.name for measure in MEASURES)
    assert all(name.startswith(names) for name in report.rows)
    assert json.loads(__main__.REFERENCE.read_text(encoding="utf-8"))["machine"]["torch"]


def test_runs_of_the_measures_are_in_params() -> None:
    assert {"cnn", "lstm"} <= {*read_params(ROOT / "params.yaml").runs}
