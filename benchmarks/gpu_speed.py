"""Speeds of gpu.py: of the GPU, of recurrent layers, and of trainings with and without what makes them fast."""

import contextlib
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from gpu_training import Setting, changed, fit_run, now, shortened
from torch import nn

from cvnlp.language.models import output
from cvnlp.language.models.recurrent import in_dtype
from cvnlp.launch import devices

FOLDER = Path(__file__).parent
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
ROUNDS = 5
# name -> attributes of the task; each adds something to the one before
VARIANTS: dict[str, dict[str, bool]] = {
    "plain": {"keeps_data_on_gpu": False, "records_steps": False},
    "data_on_gpu": {"keeps_data_on_gpu": True, "records_steps": False},
    "recorded": {"keeps_data_on_gpu": True, "records_steps": True},
}
IMAGE_RUNS = ("cnn_mnist_1", "resnet_mnist_1", "resnet_fashion_1", "resnet_wide_fashion_1")
TOKEN_RUNS = (("params.yaml", "lstm_ptb_1"), ("larger.yaml", "zaremba_medium_ptb_1"))
EPOCHS, WINDOWS = 3, 100


def median_seconds(work: Callable[[], Any], *, rounds: int = ROUNDS, repeats: int = 10) -> float:
    """Seconds of `work`, after a warm-up: the median of rounds of some repeats each."""
    work()
    times = []
    for _ in range(rounds):
        started = now()
        for _ in range(repeats):
            work()
        times.append((now() - started) / repeats)
    return statistics.median(times)


def product_rate(size: int, dtype: torch.dtype) -> float:
    """Operations per second of a product of square random matrices."""
    left, right = (torch.randn(size, size, device=devices.device()).to(dtype) for _ in range(2))
    return 2 * size**3 / median_seconds(lambda: left @ right)


def measure_recurrent(setting: Setting) -> dict[str, Any]:
    """Milliseconds of the forward and backward pass of an LSTM layer of 650 on a window of 20 x 35, by type."""
    size = 8 if setting.quick else 650
    layer = nn.LSTM(size, size, batch_first=True).to(devices.device())
    values = torch.randn(20, 35, size, device=devices.device())
    found: dict[str, Any] = {"layer_size": size}
    for name, dtype in DTYPES.items():

        def work(dtype: torch.dtype = dtype) -> None:
            outputs, _ = in_dtype(dtype, layer, {}, values, None)
            outputs.float().sum().backward()

        with contextlib.suppress(RuntimeError):  # no kernel for this type
            found[f"{name}_ms"] = 1000 * median_seconds(work)
    return found


def measure_images(setting: Setting) -> dict[str, Any]:
    """Images per second of training steps, by run and variant."""
    found: dict[str, Any] = {}
    for name in IMAGE_RUNS:
        run = changed(setting.run(FOLDER / "params.yaml", name), epochs=2 if setting.quick else EPOCHS)
        found[name] = compare_variants(setting, run)
        other = "32" if run.train.precision == "bf16" else "bf16"
        found[name][f"recorded_{other}"] = speed(setting, changed(run, precision=other), VARIANTS["recorded"])
    return found


def measure_tokens(setting: Setting) -> dict[str, Any]:
    """Tokens per second of training steps, by run and variant."""
    found: dict[str, Any] = {}
    for file, name in TOKEN_RUNS:
        run = setting.run(FOLDER / file, name)
        run = run if setting.quick else shortened(run, EPOCHS, WINDOWS)
        with mock.patch.object(output, "on_gpu", return_value=False):
            in_parts = speed(setting, run, VARIANTS["data_on_gpu"])
        found[name] = {"output_in_parts": in_parts, **compare_variants(setting, run)}
        other = "32" if run.train.precision == "bf16" else "bf16"
        found[name][f"recorded_{other}"] = speed(setting, changed(run, precision=other), VARIANTS["recorded"])
    return found


def compare_variants(setting: Setting, run: Any) -> dict[str, Any]:
    return {name: speed(setting, run, attributes) for name, attributes in VARIANTS.items()}


def speed(setting: Setting, run: Any, attributes: dict[str, bool]) -> float | str:
    """Examples per second; the error, if there is one, so that the other variants are measured."""
    try:
        return fit_run(setting, run, attributes=attributes).examples_per_second
    except (RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
