"""benchmarks/gpu.py on a CPU and small data: each measurement runs the project's own training."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import gpu
import gpu_correctness
import gpu_speed
import gpu_training
import pytest
import torch
from gpu_training import Setting

from cvnlp.params import read_params

ROOT = Path(__file__).parents[1]
SCORES = {"accuracy", "nll"}


@pytest.fixture(scope="module")
def setting(vision_data: Path, language_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """The data sets of the measurements, all with the small data of the tests."""
    folder = tmp_path_factory.mktemp("prepared")
    for name in ("mnist", "fashion_mnist", "mnist_sample"):
        (folder / name).symlink_to(vision_data)
    for name in ("ptb", "shakespeare"):
        (folder / name).symlink_to(language_data)
    return Setting(folder, folder, True, time.perf_counter() + 600)


def test_every_training_of_the_benchmark_is_a_run(setting: Setting) -> None:
    for file, run, metric, goals in gpu.TRAININGS.values():
        block = setting.run(gpu.FOLDER / file, run)
        assert block.train.epochs == gpu_training.QUICK_EPOCHS
        assert metric.startswith("validation_") and goals
    assert {*gpu_speed.IMAGE_RUNS} <= {*read_params(gpu.FOLDER / "params.yaml").runs}
    assert {*gpu_correctness.NOISE} <= {*read_params(ROOT / "params.yaml").runs}


def test_a_classifier_is_trained_and_scored(setting: Setting) -> None:
    found = gpu.train_to_score(setting, name="mnist")
    assert found["epochs"] == 2 and found["seconds"] > 0 and 0 < found["best_validation"] <= 1
    assert {*found["test"]} >= SCORES
    assert found["share_of_peak"] == pytest.approx(found["examples_per_second"] * 6 * multiply_adds(setting) / 989e12)


def multiply_adds(setting: Setting) -> int:
    run = gpu_training.changed(setting.run(gpu.FOLDER / "params.yaml", "resnet_mnist_1"), epochs=0)
    return gpu_training.multiply_adds(gpu_training.fit_run(setting, run))


def test_a_language_model_is_trained_and_scored(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gpu.TRAININGS, "small", ("../params.yaml", "lstm", "validation_perplexity", (1000.0, 1.0)))
    found = gpu.train_to_score(setting, name="small")
    assert found["seconds_to"]["1000.0"] > 0 and found["seconds_to"]["1.0"] is None
    assert found["test"]["perplexity"] > 1


@pytest.mark.parametrize(
    ("values", "goal", "better", "expected"),
    [([0.5, 0.9, 0.8], 0.9, max, 2.0), ([0.5, 0.6, 0.7], 0.9, max, None), ([90.0, 80.0, 85.0], 81.0, min, 2.0)],
)
def test_the_first_epoch_that_reaches_a_goal(values: list[float], goal: float, better: Any, expected: Any) -> None:
    assert gpu.first_time(values, [1.0, 2.0, 3.0], goal, better) == expected


def test_a_training_ends_with_the_epoch_in_which_the_time_is_up(setting: Setting) -> None:
    late = Setting(setting.data, setting.whole, False, time.perf_counter())
    run = gpu_training.changed(late.run(ROOT / "params.yaml", "mlp"), epochs=5)
    trained = gpu_training.fit_run(late, run)
    assert len(trained.fitted.history) == len(trained.marks) == len(trained.epochs) == 1


def test_variants_are_measured_one_by_one(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    run = setting.run(ROOT / "params.yaml", "mlp")
    found = gpu_speed.compare_variants(setting, run)
    assert [*found] == ["plain", "data_on_gpu", "recorded"] and min(found.values()) > 0

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no kernel\nat all")

    monkeypatch.setattr(gpu_speed, "fit_run", fail)
    assert gpu_speed.speed(setting, run, {}) == "RuntimeError: no kernel"


def test_the_card_and_recurrent_layers_are_measured(setting: Setting) -> None:
    assert min(gpu.measure_card(setting).values()) > 0
    assert gpu_speed.measure_recurrent(setting)["fp32_ms"] > 0


def test_a_run_is_the_same_twice_and_loads_on_the_cpu(setting: Setting) -> None:
    found = gpu_correctness.check(setting, "mlp")
    assert found["same_bytes"] and found["same_bytes_without_recording"]
    assert found["largest_difference_of_outputs"] < 1e-4
    assert 0 <= found["score"] <= 1


def test_an_error_is_recorded_and_the_rest_goes_on(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(setting: Setting) -> dict[str, Any]:
        raise ValueError("not today")

    monkeypatch.setattr(gpu, "MEASUREMENTS", {"first": fail, "second": lambda setting: {"a": {"b": 1.5}}})
    out = tmp_path / "gpu.json"
    folders = ["--data", str(setting.data), "--whole", str(setting.whole)]
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(out), "--quick", *folders])
    with pytest.raises(SystemExit, match="error: first failed"):
        gpu.main()
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["machine"]["torch"] == torch.__version__.partition("+")[0] and found["quick"]
    assert found["measurements"]["first"]["error"] == "ValueError: not today"
    assert found["measurements"]["second"]["a"] == {"b": 1.5}
    assert "second.a.b" in capsys.readouterr().out


def test_without_time_nothing_is_started() -> None:
    setting = Setting(Path(), Path(), True, time.perf_counter() + gpu.LEAST - 1)
    assert gpu.run("late", lambda setting: pytest.fail("started"), setting)["skipped"] == "no time left"
