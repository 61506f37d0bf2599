"""Steps that a GPU repeats from a recording: here the recording runs the same code again on the same tensors."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from cvnlp.domains import HALVES
from cvnlp.training import base_task, recorded_step
from make_trainings import InterruptionError, Trained, Wrap

both_halves = pytest.mark.parametrize("half", HALVES)
MUON = {"name": "muon", "schedule": "linear", "warmup": 0.2}
VISION: list[dict[str, Any]] = [
    {},
    {"prune": {"easy": 0.5, "skip": 0.5}, "augment": {"crop": 1, "flip": "alternating", "erasing": 0.5}},
    {"optimiser": {"name": "sgd", "momentum": 0.9}, "lr": 0.05, "precision": "bf16"},
    {"average": "ema", "class_weights": "balanced"},
]
LANGUAGE: list[dict[str, Any]] = [
    {},
    {"epoch_tokens": None, "precision": "bf16"},
    {"optimiser": {"name": "sgd", "schedule": "plateau"}, "lr": 0.5, "activation_regularisation": 1.0},
]
CASES = [*(("vision", options) for options in VISION), *(("language", options) for options in LANGUAGE)]


class Repeated:
    """A recording without a GPU. Like one, it uses no number of a later step: learning rates are read from tensors."""

    made: list["Repeated"]

    def __init__(self) -> None:
        self.runs = self.repeats = 0
        Repeated.made.append(self)

    def run(self, work: Callable[[], None]) -> None:
        self.runs += 1
        work()

    def record(self, work: Callable[[], None]) -> None:
        self.work = work  # a GPU does not compute what it records

    def repeat(self) -> None:
        self.repeats += 1
        groups = self.work.__self__.optimiser.param_groups  # type: ignore[attr-defined]
        rates = [group["lr"] for group in groups]
        for group in groups:
            group["lr"] = math.nan
        self.work()
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Wrap:
    """Derives tasks whose steps are recorded."""
    Repeated.made = []
    monkeypatch.setattr(base_task, "CudaGraph", Repeated)

    def derive(task: Any) -> Any:
        class Recorded(task):
            def can_record_steps(self) -> bool:
                return True

        return Recorded

    return derive


@pytest.mark.parametrize(("half", "options"), CASES)
def test_repeated_steps_give_the_bytes_of_computed_ones(
    half: str,
    options: dict[str, Any],
    train: Callable[..., Trained],
    recording: Wrap,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repeated = train(half, wrap=recording, **options)
    assert Repeated.made[0].repeats
    monkeypatch.setattr(recorded_step, "WARM_UP", 10**9)
    computed = train(half, wrap=recording, **options)
    assert Repeated.made[1].repeats == 0
    assert repeated.weights == computed.weights
    assert repeated.fitted.history == computed.fitted.history


@pytest.mark.parametrize(("half", "options"), CASES)
def test_repeated_steps_give_the_scores_of_the_usual_training(
    half: str, options: dict[str, Any], train: Callable[..., Trained], recording: Wrap
) -> None:
    """Not the same bytes: learning rates are float32 in a recording."""
    repeated, usual = train(half, wrap=recording, **options).fitted, train(half, **options).fitted
    assert repeated.examples == usual.examples
    for mine, other in zip(repeated.history, usual.history, strict=True):
        assert mine == pytest.approx(other, rel=0.02 if "precision" in options else 1e-3)


def test_muon_can_be_recorded(train: Callable[..., Trained], recording: Wrap) -> None:
    model = ("resnet", {"widths": [4, 8]})
    repeated = train("vision", wrap=recording, named=model, optimiser=MUON, lr=0.05)
    usual = train("vision", named=model, optimiser=MUON, lr=0.05)
    for mine, other in zip(repeated.fitted.history, usual.fitted.history, strict=True):
        assert mine == pytest.approx(other, rel=0.02)


def test_a_batch_of_another_shape_is_computed(train: Callable[..., Trained], recording: Wrap) -> None:
    """300 images are four batches of 64 and one of 44, in three epochs."""
    train("vision", wrap=recording)
    assert Repeated.made[0].runs == recorded_step.WARM_UP + 3
    assert Repeated.made[0].repeats == 15 - recorded_step.WARM_UP - 3


def test_a_resumed_training_is_recorded_again(train: Callable[..., Trained], recording: Wrap) -> None:
    whole = train("language", wrap=recording)
    with pytest.raises(InterruptionError):
        train("language", wrap=recording, resume="state", interrupt=("log", 1))
    assert train("language", wrap=recording, resume="state").weights == whole.weights


@both_halves
def test_steps_are_recorded_only_on_a_gpu(half: str, train: Callable[..., Trained]) -> None:
    seen: list[bool] = []

    def record(task: Any) -> Any:
        class Asked(task):
            def on_train_start(self) -> None:
                super().on_train_start()
                seen.append(self.can_record_steps() or self._recorded is not None)

        return Asked

    train(half, wrap=record, epochs=1)
    assert seen == [False]


@both_halves
def test_data_on_the_device_give_the_same_bytes(half: str, train: Callable[..., Trained]) -> None:
    """Batches cut by torch from the whole split are those that numpy reads from the memory map."""

    def keep(task: Any) -> Any:
        class Kept(task):
            def has_room(self, size: int) -> bool:
                return True

        return Kept

    flips: dict[str, Any] = {"augment": {"flip": "alternating", "crop": 1}} if half == "vision" else {}
    assert train(half, wrap=keep, **flips).weights == train(half, **flips).weights


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("half", "options"), CASES)
def test_a_gpu_repeats_its_steps(
    half: str, options: dict[str, Any], train: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    repeated, again = train(half, **options), train(half, **options)
    assert repeated.weights == again.weights
    monkeypatch.setattr(recorded_step, "WARM_UP", 10**9)
    assert train(half, **options).weights == repeated.weights
    monkeypatch.setattr(base_task.BaseTask, "keeps_data_on_gpu", False)
    monkeypatch.setattr(base_task.BaseTask, "records_steps", False)
    for mine, other in zip(train(half, **options).fitted.history, repeated.fitted.history, strict=True):
        assert mine == pytest.approx(other, rel=0.05)


def test_a_state_is_copied_whatever_its_nesting() -> None:
    state = (torch.ones(2), (torch.zeros(1), None), None)
    copied = recorded_step._copy(state)
    assert [tensor.tolist() for tensor in recorded_step._tensors(copied)] == [[1.0, 1.0], [0.0]]
    assert copied[0] is not state[0]
