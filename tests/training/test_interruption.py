"""An interrupted training that is resumed ends in the same bytes as one that was not interrupted."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from cvnlp import domains
from cvnlp.params.optimiser import Optimiser
from make_trainings import SHORT_EPOCH, InterruptionError, Trained, scripted

SCORES = [3.0, 2.0, 2.5, 2.0, 1.0]
STALLING = [5.0, 4.0, 4.5, 4.2, 4.1, 3.0]  # nt_asgd with an interval of 1 starts after epoch 3
ONE_CYCLE = {"optimiser": Optimiser(name="sgd", momentum=0.9, schedule="one_cycle", final=0.1)}
ADAMW_CYCLE = {"optimiser": Optimiser(name="adamw", weight_decay=0.1, decay_all=False, schedule="one_cycle")}
UNDECAYED = {"optimiser": Optimiser(name="adamw", weight_decay=0.1, decay_all=False)}
PLATEAU = {"optimiser": Optimiser(name="sgd", schedule="plateau", factor=0.5), "epochs": 5}
EXPONENTIAL = {"optimiser": Optimiser(name="sgd", schedule="exponential", hold_epochs=2), "epochs": 4}
VARIABLE = {"window_lengths": "variable", "optimiser": Optimiser(name="sgd", schedule="constant", warmup=0)}
WHOLE_TEXT = {"epoch_tokens": None, "batch_size": 64}
PRUNED = {"prune": {"easy": 0.75, "skip": 0.6}, "epochs": 4}
EMA = {"average": "ema", "average_decay": 0.8, "average_start": 0.0}
SWA = {"average": "swa", "average_start": 0.5}
NT_ASGD = {"average": "nt_asgd", "average_interval": 1, "epochs": 6}
LANGUAGE = SHORT_EPOCH["language"]

both_halves = pytest.mark.parametrize("half", domains.HALVES)
both_places = pytest.mark.parametrize("where", ["log", "batches"])
both_averages = pytest.mark.parametrize("average", [EMA, SWA], ids=["ema", "swa"])


def check_resumed(train: Callable[..., Trained], half: str, where: str, epoch: int, **options: Any) -> Trained:
    """The training without interruption, which the resumed one must equal."""
    whole = train(half, **options)
    with pytest.raises(InterruptionError):
        train(half, resume=f"state-{half}", interrupt=(where, epoch), **options)
    torch.rand(7)  # the random state is another than at the interruption
    logged: list[int] = []
    resumed = train(half, resume=f"state-{half}", write=lambda metrics, at: logged.append(at), **options)
    assert resumed.weights == whole.weights
    assert resumed.fitted.history == whole.fitted.history
    assert resumed.fitted.best_epoch == whole.fitted.best_epoch
    assert resumed.fitted.examples == whole.fitted.examples
    assert logged == list(range(epoch, len(whole.fitted.history)))  # finished epochs are not repeated
    return whole


@both_places
@pytest.mark.parametrize("epoch", [0, 1, 2])
@both_halves
def test_a_plain_training(half: str, epoch: int, where: str, train: Callable[..., Trained]) -> None:
    check_resumed(train, half, where, epoch)


def test_one_cycle_of_learning_rate_and_momentum(train: Callable[..., Trained]) -> None:
    whole = check_resumed(train, "vision", "log", 1, **ONE_CYCLE)
    assert whole.fitted.history[-1]["lr"] == pytest.approx(0.1 * 0.01)


@pytest.mark.parametrize("options", [UNDECAYED, ADAMW_CYCLE], ids=["cosine", "one_cycle"])
@both_halves
def test_biases_without_weight_decay(half: str, options: dict[str, Any], train: Callable[..., Trained]) -> None:
    whole = check_resumed(train, half, "log", 1, **options)
    assert whole.fitted.history[-1]["validation_nll"] < whole.fitted.history[0]["validation_nll"]


@both_places
@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("options", [PLATEAU, EXPONENTIAL], ids=["plateau", "exponential"])
def test_schedules_by_epoch(options: dict[str, Any], epoch: int, where: str, train: Callable[..., Trained]) -> None:
    check_resumed(train, "language", where, epoch, wrap=scripted(SCORES), **LANGUAGE, **options)


@both_places
@pytest.mark.parametrize("part", [LANGUAGE, WHOLE_TEXT], ids=["part", "whole"])
def test_windows_of_variable_length(part: dict[str, Any], where: str, train: Callable[..., Trained]) -> None:
    whole = check_resumed(train, "language", where, 1, **VARIABLE, **part)
    assert whole.weights != train("language", **VARIABLE | {"window_lengths": "fixed"} | part).weights


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_output_bias_is_set_only_at_the_start(epoch: int, train: Callable[..., Trained]) -> None:
    whole = check_resumed(train, "language", "batches", epoch, model={"output_bias": "frequencies"})
    assert whole.fitted.history[0]["train_loss"] < train("language").fitted.history[0]["train_loss"]


@pytest.mark.parametrize("epoch", [1, 2])
def test_the_losses_that_decide_pruning(epoch: int, train: Callable[..., Trained]) -> None:
    whole = check_resumed(train, "vision", "batches", epoch, **PRUNED)
    assert whole.fitted.examples == 4 * (300 - 135)


@both_places
@pytest.mark.parametrize("epoch", [0, 1, 2])
@both_averages
def test_an_average(
    average: dict[str, Any], epoch: int, where: str, train: Callable[..., Trained], normed: tuple[str, dict[str, Any]]
) -> None:
    check_resumed(train, "vision", where, epoch, named=normed, **average)
    check_resumed(train, "language", where, epoch, **average)


@both_places
@pytest.mark.parametrize("epoch", [1, 3, 4, 5])  # before the trigger, at it, and after it
def test_nt_asgd(epoch: int, where: str, train: Callable[..., Trained]) -> None:
    check_resumed(train, "language", where, epoch, wrap=scripted(STALLING), **NT_ASGD, **VARIABLE, **LANGUAGE)


def test_patience_counts_the_epochs_before_the_interruption(train: Callable[..., Trained]) -> None:
    wrap = scripted([5.0, 4.0, 4.5, 4.6, 1.0, 0.5])
    whole = check_resumed(train, "vision", "log", 3, wrap=wrap, epochs=6, patience=2)
    assert len(whole.fitted.history) == 4


@both_halves
def test_a_finished_training_is_not_repeated(half: str, train: Callable[..., Trained]) -> None:
    first = train(half, resume="state")
    again = train(half, resume="state", interrupt=("batches", 0))
    assert again.weights == first.weights
    assert again.fitted.history == first.fitted.history
    assert again.fitted.examples == first.fitted.examples


def test_a_training_that_stopped_early_stays_stopped(train: Callable[..., Trained]) -> None:
    """Its process may be killed after the last epoch and before the weights are saved."""
    options = {"wrap": scripted([5.0, 4.0, 4.5, 4.6, 1.0, 0.5]), "epochs": 6, "patience": 2, "resume": "state"}
    first, again = train("vision", **options), train("vision", **options)
    assert again.fitted.history == first.fitted.history
    assert again.weights == first.weights
