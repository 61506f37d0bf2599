"""Training on a GPU, in about ten minutes on an H100: `python benchmarks/gpu.py --out gpu.json`.

    --only NAME ...   some of the measurements: card, recurrent, images, tokens, correctness, mnist, fashion, ...
    --minutes 8       no measurement starts later, and a training ends after the epoch in which the time is up
    --quick           every measurement, but a few steps of each training: to try the script, also on a CPU
    --unrecorded      trainings without recorded steps, but for the variant of `images` and `tokens`

Each measurement is independent: an error is recorded, and the others follow. The file is written after each of them.
Needs the prepared data of `make repro` and of `make benchmarks` (mnist, fashion_mnist and ptb).
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gpu_correctness
import gpu_speed
import torch
from gpu_training import Setting, fit_run, multiply_adds, score

from cvnlp import files, networks, provenance
from cvnlp.training.base_task import BaseTask

FOLDER = Path(__file__).parent
LEAST = 15.0  # seconds that must be left for a measurement to start
DENSE_BF16 = 989e12  # operations per second of an H100 or H200 by its data sheet
# name -> file of the run, its name there, its score, and values to reach on the validation split
TRAININGS: dict[str, tuple[str, str, str, tuple[float, ...]]] = {
    "mnist": ("params.yaml", "resnet_mnist_1", "validation_accuracy", (0.99, 0.994)),
    "fashion": ("params.yaml", "resnet_fashion_1", "validation_accuracy", (0.90, 0.92, 0.94)),
    "fashion_wide": ("params.yaml", "resnet_wide_fashion_1", "validation_accuracy", (0.94, 0.95)),
    "ptb_lstm": ("params.yaml", "lstm_ptb_1", "validation_perplexity", (100.0, 90.0, 80.0)),
    "ptb_medium": ("larger.yaml", "zaremba_medium_ptb_1", "validation_perplexity", (100.0, 90.0, 86.2)),
    "ptb_awd": ("larger.yaml", "awd_lstm_ptb_1", "validation_perplexity", (100.0, 80.0, 70.0)),
}
Measure = Callable[[Setting], dict[str, Any]]


def train_to_score(setting: Setting, *, name: str) -> dict[str, Any]:
    """Train a run of benchmarks/; seconds from the start of `fit` to each score, and the score on the test split."""
    file, run, metric, goals = TRAININGS[name]
    trained = fit_run(setting, setting.run(FOLDER / file, run))
    values = [row[metric] for row in trained.fitted.history]
    better = max if metric.endswith("accuracy") else min
    rate = trained.examples_per_second
    operations = 6 * multiply_adds(trained)
    return {
        "run": run,
        "epochs": len(values),
        "seconds": trained.marks[-1],
        "best_validation": better(values),
        "seconds_to": {str(goal): first_time(values, trained.marks, goal, better) for goal in goals},
        "examples_per_second": rate,
        "share_of_peak": rate * operations / DENSE_BF16,
        "test": score(trained, setting),
    }


def first_time(values: list[float], marks: list[float], goal: float, better: Callable[..., float]) -> float | None:
    """Seconds until the first epoch whose value reaches the goal; None if none does."""
    return next((mark for value, mark in zip(values, marks, strict=True) if better(value, goal) == value), None)


def measure_card(setting: Setting) -> dict[str, Any]:
    """Operations per second of products of random matrices, which warms up the GPU as well."""
    size = 256 if setting.quick else 8192
    return {f"{name}_tflops": gpu_speed.product_rate(size, dtype) / 1e12 for name, dtype in gpu_speed.DTYPES.items()}


MEASUREMENTS: dict[str, Measure] = {
    "card": measure_card,
    "recurrent": gpu_speed.measure_recurrent,
    "images": gpu_speed.measure_images,
    "tokens": gpu_speed.measure_tokens,
    "correctness": gpu_correctness.measure,
    **{name: partial(train_to_score, name=name) for name in TRAININGS},
}


def lines(result: Mapping[str, Any], prefix: str = "") -> list[str]:
    """A line for each number of a result, with its place."""
    found = []
    for key, value in result.items():
        place = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found += lines(value, f"{place}.")
        else:
            found.append(f"{place:<58} {value:.6g}" if isinstance(value, float) else f"{place:<58} {value}")
    return found


def run(name: str, measure: Measure, setting: Setting) -> dict[str, Any]:
    """One measurement, with its seconds; an error is a part of the result."""
    started = time.perf_counter()
    try:
        result: dict[str, Any] = measure(setting) if setting.left > LEAST else {"skipped": "no time left"}
    except Exception as error:
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}"}
    result["took_seconds"] = time.perf_counter() - started
    print("\n".join(lines(result, f"{name}.")), flush=True)
    return result


def machine() -> dict[str, Any]:
    cuda = torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 0
    versions = {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return provenance.machine() | networks.hardware() | versions | {"gpu_memory": cuda}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--minutes", type=float, default=10.0, help="default 10")
    parser.add_argument("--quick", action="store_true", help="a few steps of each training")
    parser.add_argument("--unrecorded", action="store_true", help="trainings without recorded steps")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="default gpu.json")
    parser.add_argument(
        "--data", type=Path, default=FOLDER.parent / "data/prepared", help="prepared data, default runs"
    )
    parser.add_argument("--whole", type=Path, default=FOLDER / "data/prepared", help="prepared data of benchmarks/")
    given = parser.parse_args()
    BaseTask.records_steps = not given.unrecorded
    if not torch.cuda.is_available():
        print("no GPU: the numbers are those of the CPU", file=sys.stderr)
    setting = Setting(given.data, given.whole, given.quick, time.perf_counter() + 60 * given.minutes)
    try:
        failed = measure_all(setting, given.only or [*MEASUREMENTS], given.out)
    finally:
        for child in setting.children:
            child.kill()
    sys.exit(f"error: {', '.join(failed)} failed" if failed else 0)


def measure_all(setting: Setting, names: list[str], out: Path) -> list[str]:
    """Measure one after the other, write the results so far after each, and return the names of those that failed."""
    if "correctness" in names:
        gpu_correctness.start_on_cpu(setting)
    results: dict[str, dict[str, Any]] = {}
    about = {"machine": machine(), "quick": setting.quick}
    for name in names:
        results[name] = run(name, MEASUREMENTS[name], setting)
        files.write_json(out, about | {"measurements": results})
    return [name for name, result in results.items() if "error" in result]


if __name__ == "__main__":
    main()
