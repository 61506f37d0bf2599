"""Where the time of a training step goes: the largest operators of `cnn` and `lstm`, by torch.profiler.

    python benchmarks/operators.py [--steps 30]

Prints a table for each of these default runs: the share of the time of each operator and shape; for products,
convolutions and recurrent layers also GFLOP/s, and those of the same product or convolution alone, called in a loop.
"""

import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bench.documents import write_section
from bench.setting import ROOT, NotMeasuredError, Setting
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.training import optimisers, trainer
from cvnlp.training.base_task import BaseTask

RUNS = ("cnn", "lstm")
STEPS, WARM_UP = 30, 5
TOP = 10
SECONDS = 0.2  # of an operator alone
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Operator:
    """An operator with its shapes: seconds and calls in all steps, and of those steps its share of the time."""

    name: str
    shapes: Shapes
    seconds: float
    calls: int
    share: float


def make_task(setting: Setting, name: str) -> BaseTask:
    """The task of a default run, as the stage makes it."""
    run = setting.run(name)
    folder = setting.prepared(run.dataset)
    networks.use_threads(run.train.threads)
    trainer.seed_everything(run.seed)
    network = networks.build(networks.describe(run.domain, run.model, prepared.read_facts(folder)))
    half = domains.DOMAINS[run.domain].training
    return trainer.make_task(half, network, run.train, folder=folder, seed=run.seed)


def step_function(task: BaseTask) -> Callable[[Any], None]:
    """A step of the training without the Trainer: loss, gradients, clipping, optimiser."""
    optimiser = optimisers.make_optimiser(task.network, task.options.optimiser, lr=task.options.lr)

    def step(batch: Any) -> None:
        if getattr(batch, "reset_state", False):
            task.state = None
        optimiser.zero_grad()
        task.loss(batch).backward()
        task.clip_gradient_norm()
        optimiser.step()

    return step


def record(task: BaseTask, steps: int) -> list[Operator]:
    """The operators of some steps, the largest first."""
    step, batches = step_function(task), itertools.cycle(list(itertools.islice(task.train_batches(0), steps)))
    task.network.train()
    for batch in itertools.islice(batches, WARM_UP):
        step(batch)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as recorded:
        for batch in itertools.islice(batches, steps):
            step(batch)
    events = recorded.key_averages(group_by_input_shape=True)
    total = sum(event.self_cpu_time_total for event in events)
    found = [
        Operator(
            event.key,
            tuple(tuple(shape) for shape in event.input_shapes or ()),
            event.self_cpu_time_total / 1e6,
            event.count,
            event.self_cpu_time_total / total,
        )
        for event in events
    ]
    return sorted(found, key=lambda operator: -operator.seconds)


# Operations and peers of the operators that compute products ----------------------------------------------------------


def operations(operator: Operator) -> float | None:
    """Floating point operations of one call, 2 per multiply-add; None for operators that are no products."""
    shapes = operator.shapes
    match operator.name:
        case "aten::addmm":
            return _product(shapes[1], shapes[2])
        case "aten::mm" | "aten::bmm":
            return _product(shapes[0], shapes[1])
        case "aten::mkldnn_convolution" | "aten::convolution_overrideable":
            return _convolution(shapes[0], shapes[1])
        case "aten::convolution_backward":  # gradients of weights, and of inputs unless these are the images
            return _convolution(shapes[1], shapes[2]) * (2 if shapes[2][1] > 3 else 1)
        case "aten::mkldnn_rnn_layer":
            return _recurrent(shapes[0], shapes[2])
        case "aten::mkldnn_rnn_layer_backward":
            return 2 * _recurrent(shapes[0], shapes[2])
    return None


def _product(left: Sequence[int], right: Sequence[int]) -> float:
    return 2.0 * math.prod(left) * right[-1]


def _convolution(images: Sequence[int], weights: Sequence[int]) -> float:
    """With as many outputs as inputs: the default networks pad."""
    return 2.0 * images[0] * math.prod(images[2:]) * math.prod(weights)


def _recurrent(inputs: Sequence[int], recurrent: Sequence[int]) -> float:
    """Of a layer of four gates: the products with inputs (T, B, features) and with the state."""
    steps, columns, features = inputs
    gates, size = recurrent[-2:]
    return 2.0 * steps * columns * gates * (features + size)


def peer(operator: Operator) -> Callable[[], Tensor] | None:
    """The plain product or convolution of the same shapes."""
    shapes = operator.shapes
    match operator.name:
        case "aten::addmm":
            return _matmul(shapes[1], shapes[2])
        case "aten::mm" | "aten::bmm":
            return _matmul(shapes[0], shapes[1])
        case "aten::mkldnn_convolution" | "aten::convolution_overrideable":
            return _conv(shapes[0], shapes[1])
        case "aten::convolution_backward":
            return _conv(shapes[1], shapes[2])
        case "aten::mkldnn_rnn_layer" | "aten::mkldnn_rnn_layer_backward":
            steps, columns, features = shapes[0]
            gates, size = shapes[2][-2:]
            return _matmul((steps * columns, features + size), (features + size, gates))
    return None


def _matmul(left: Sequence[int], right: Sequence[int]) -> Callable[[], Tensor]:
    first, second = torch.randn(*left), torch.randn(*right)
    return lambda: first @ second


def _conv(images: Sequence[int], weights: Sequence[int]) -> Callable[[], Tensor]:
    pixels = torch.randn(*images).to(memory_format=networks.MEMORY_FORMAT)
    kernel = torch.randn(*weights).to(memory_format=networks.MEMORY_FORMAT)
    return lambda: torch.conv2d(pixels, kernel, padding=weights[-1] // 2)


def peer_rate(operator: Operator) -> float | None:
    """Operations per second of the plain product or convolution."""
    work, amount = peer(operator), operations(operator)
    if work is None or amount is None:
        return None
    if operator.name == "aten::convolution_backward":
        amount = _convolution(operator.shapes[1], operator.shapes[2])
    elif operator.name == "aten::mkldnn_rnn_layer_backward":
        amount /= 2
    with torch.no_grad():
        work()
        started, calls = time.perf_counter(), 0
        while time.perf_counter() - started < SECONDS:
            work()
            calls += 1
        return amount * calls / (time.perf_counter() - started)


# The table ------------------------------------------------------------------------------------------------------------


def table(operators: Sequence[Operator], top: int = TOP) -> str:
    lines = ["| operator | shapes | share of time | GFLOP/s | the same alone |", "|---|---|---|---|---|"]
    for operator in operators[:top]:
        amount, alone = operations(operator), peer_rate(operator)
        rate = f"{amount * operator.calls / operator.seconds / 1e9:.0f}" if amount else ""
        shapes = ", ".join("x".join(map(str, shape)) for shape in operator.shapes if len(shape) > 1)
        name = operator.name.removeprefix("aten::")
        lines.append(f"| {name} | {shapes} | {operator.share:.1%} | {rate} | {f'{alone / 1e9:.0f}' if alone else ''} |")
    rest = sum(operator.share for operator in operators[top:])
    return "\n".join([*lines, f"| {len(operators[top:])} others | | {rest:.1%} | | |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS, help="default: %(default)s")
    parser.add_argument("--document", type=Path, help="a document whose tables are written, such as docs/scale.md")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the default pipeline and its data")
    given = parser.parse_args()
    try:
        for name in RUNS:
            operators = record(make_task(Setting(project=given.project.resolve()), name), given.steps)
            milliseconds = 1000 * sum(operator.seconds for operator in operators) / given.steps
            text = f"`{name}`: {milliseconds:.2f} ms of operators per step.\n\n{table(operators)}"
            print(text, "\n")
            if given.document:
                write_section(given.document, name, f"\n{text}\n")
    except NotMeasuredError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
