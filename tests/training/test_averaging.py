"""Averages of weights, against their definitions and torch's ASGD, alone and in a training."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from cvnlp import domains
from cvnlp.language.batches import validation_batches
from cvnlp.language.inference.scoring import token_nats
from cvnlp.params.runs import LanguageTrain
from cvnlp.training.averaging import make_average, non_monotonic_trigger, update_batch_norm
from cvnlp.vision import metrics
from cvnlp.vision.inference import predict_split
from make_trainings import SHORT_EPOCH, Trained, Wrap, scripted

EMA = {"average": "ema", "average_decay": 0.8, "average_start": 0.0}
SWA = {"average": "swa", "average_start": 0.5}
NT_ASGD = {"average": "nt_asgd", "average_interval": 1, "epochs": 6}
both_averages = pytest.mark.parametrize("average", [EMA, SWA], ids=["ema", "swa"])
both_halves = pytest.mark.parametrize("half", domains.HALVES)


def average_of(average: AveragedModel, states: list[Tensor]) -> Tensor:
    """The averaged weights after updates with networks of these weights."""
    network = nn.Linear(2, 3, bias=False)
    for state in states:
        network.weight.data = state
        average.update_parameters(network)
    return average.module.weight


def test_the_averages_are_those_of_their_definitions() -> None:
    network = nn.Linear(2, 3, bias=False)
    states = list(torch.rand(6, 3, 2, generator=torch.Generator().manual_seed(1)))
    plain = make_average(network, average="swa", decay=None)
    assert torch.allclose(average_of(plain, states), torch.stack(states).mean(0))
    moving = make_average(network, average="ema", decay=0.7)
    reference = AveragedModel(network, avg_fn=get_ema_avg_fn(0.7))
    assert torch.allclose(average_of(moving, states), average_of(reference, states))
    assert make_average(network, average="none", decay=None) is None


def test_the_average_of_nt_asgd_is_that_of_asgd() -> None:
    """torch's ASGD with the settings of the published program; it leaves out the first step."""
    torch.manual_seed(1)
    network = nn.Linear(4, 3)
    average = make_average(network, average="nt_asgd", decay=None)
    reference = torch.optim.ASGD(network.parameters(), lr=0.1, t0=0, lambd=0.0)
    for step in range(7):
        reference.zero_grad()
        network(torch.randn(5, 4)).square().sum().backward()
        reference.step()
        if step:
            average.update_parameters(network)
    for name, parameter in network.named_parameters():
        assert torch.allclose(average.module.get_parameter(name), reference.state[parameter]["ax"], atol=1e-6)


def test_the_first_weights_are_copied() -> None:
    average = make_average(nn.Linear(2, 3, bias=False), average="ema", decay=0.99)
    assert torch.equal(average_of(average, [torch.ones(3, 2)]), torch.ones(3, 2))


def test_averaged_weights_need_no_gradient() -> None:
    """Distributed training waits for the gradient of every parameter that needs one."""
    average = make_average(nn.Linear(2, 3), average="swa", decay=None)
    assert not any(parameter.requires_grad for parameter in average.parameters())


@pytest.mark.parametrize("interval", [1, 2, 5])
def test_the_trigger_is_that_of_the_published_program(interval: int) -> None:
    """salesforce/awd-lstm-lm: `len(best_val_loss) > nonmono and val_loss > min(best_val_loss[:-nonmono])`."""
    scores = torch.rand(60, generator=torch.Generator().manual_seed(1)).tolist()
    found = []
    for number, score in enumerate(scores):
        earlier = scores[:number]
        expected = len(earlier) > interval and score > min(earlier[:-interval])
        assert non_monotonic_trigger(scores[: number + 1], interval) == expected
        found.append(expected)
    assert {True, False} == set(found)


def test_improving_scores_do_not_trigger() -> None:
    assert not any(non_monotonic_trigger(list(range(9, n, -1)), 2) for n in range(8, -1, -1))
    assert not non_monotonic_trigger([3.0, 3.0, 3.0, 3.0], 1)
    assert not non_monotonic_trigger([3.0, 4.0], 1)
    assert non_monotonic_trigger([3.0, 4.0, 3.5], 1)


def test_batch_norm_has_the_statistics_of_all_inputs() -> None:
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5)).eval()
    batches = list(torch.rand(5, 8, 4, generator=torch.Generator().manual_seed(1)) * 3 - 1)
    torch.manual_seed(3)
    update_batch_norm(network, iter(batches))
    after = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(4))  # dropout's draws are undone
    assert torch.allclose(network[0].running_mean, torch.cat(batches).mean(0), atol=1e-6)
    assert torch.allclose(network[0].running_var, torch.stack([batch.var(0) for batch in batches]).mean(0), atol=1e-6)
    assert network[0].momentum == 0.1
    assert not network.training


def test_without_batch_norm_no_input_is_read() -> None:
    def fail() -> Iterator[Tensor]:
        raise AssertionError("there are no statistics to update")
        yield

    update_batch_norm(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), fail())


# In a training


def recorded(states: list[dict[str, Tensor]], validation: list[float]) -> Wrap:
    """Tasks with given validation scores, which append the weights after every step to `states`."""

    def derive(task: Any) -> Any:
        class Recorded(scripted(validation)(task)):
            def on_train_batch_end(self, *arguments: Any) -> None:
                super().on_train_batch_end(*arguments)
                states.append({name: one.detach().clone() for name, one in self.network.named_parameters()})

        return Recorded

    return derive


@both_halves
@both_averages
def test_the_average_over_the_steps_is_kept(half: str, average: dict[str, Any], train: Callable[..., Trained]) -> None:
    states: list[dict[str, Tensor]] = []
    trained = train(half, wrap=recorded(states, [3.0, 2.0, 1.0]), **average)
    counted = states[round(average["average_start"] * len(states)) :]
    assert len(counted) in (len(states), len(states) // 2, len(states) // 2 + 1)
    for name, found in trained.network.named_parameters():
        expected = counted[0][name]
        for number, state in enumerate(counted[1:], start=2):
            weight = 1 / number if average is SWA else 0.2
            expected = expected + weight * (state[name] - expected)
        assert torch.allclose(found.cpu(), expected.cpu(), atol=1e-5), name


@both_averages
def test_the_averaged_classifier_is_the_one_validated(
    average: dict[str, Any], train: Callable[..., Trained], vision_data: Path, normed: tuple[str, dict[str, Any]]
) -> None:
    for named in (None, normed):
        trained = train("vision", named=named, **average)
        probabilities, labels = predict_split(trained.network, vision_data, "validation")
        row = trained.fitted.history[trained.fitted.best_epoch]
        scores = metrics.summary(probabilities, labels, bins=15)
        assert row["validation_nll"] == pytest.approx(scores["nll"], rel=1e-4)


@both_averages
def test_the_averaged_language_model_is_the_one_validated(
    average: dict[str, Any], train: Callable[..., Trained], language_data: Path
) -> None:
    trained = train("language", model={"embedding_size": 16, "tied": True}, **average)
    batches = validation_batches(language_data, LanguageTrain(epochs=1))
    inputs, targets = batches.cut(0, batches.length)
    nats = token_nats(trained.network, inputs, targets)[targets >= 0]
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(nats.mean().item(), rel=1e-4)


@both_averages
def test_an_average_does_not_change_the_training(
    average: dict[str, Any], train: Callable[..., Trained], normed: tuple[str, dict[str, Any]]
) -> None:
    plain, averaged = train("vision", named=normed), train("vision", named=normed, **average)
    assert [row["train_loss"] for row in plain.fitted.history] == [row["train_loss"] for row in averaged.fitted.history]
    assert plain.weights != averaged.weights


def test_before_its_start_the_weights_themselves_are_validated_and_kept(train: Callable[..., Trained]) -> None:
    late = SWA | {"average_start": 0.7}
    plain = train("vision", wrap=scripted([1.0, 2.0, 3.0]))
    assert train("vision", wrap=scripted([1.0, 2.0, 3.0]), **late).weights == plain.weights
    plain, averaged = train("vision").fitted.history, train("vision", **late).fitted.history
    assert plain[:2] == averaged[:2]
    assert plain[2]["validation_nll"] != averaged[2]["validation_nll"]


@both_halves
def test_nt_asgd_averages_all_steps_after_the_trigger(half: str, train: Callable[..., Trained]) -> None:
    states: list[dict[str, Tensor]] = []
    stalling = [5.0, 4.0, 4.5, 4.2, 4.1, 3.0]  # epoch 3 is the first one worse than one more than an epoch before it
    trained = train(half, wrap=recorded(states, stalling), **SHORT_EPOCH[half], **NT_ASGD)
    counted = states[4 * len(states) // 6 :]
    for name, found in trained.network.named_parameters():
        expected = torch.stack([state[name] for state in counted]).mean(0)
        assert torch.allclose(found.cpu(), expected.cpu(), atol=1e-5), name


@pytest.mark.parametrize(
    "scores",
    [[5.0, 4.0, 4.5, 3.9, 3.8, 3.0], [5.0, 1.0, 4.5, 4.2, 4.1, 3.0]],
    ids=["never triggered", "best before the trigger"],
)
def test_before_the_trigger_the_weights_themselves_are_kept(scores: list[float], train: Callable[..., Trained]) -> None:
    plain = train("language", wrap=scripted(scores), epochs=6, **SHORT_EPOCH["language"])
    averaged = train("language", wrap=scripted(scores), **SHORT_EPOCH["language"], **NT_ASGD)
    assert averaged.weights == plain.weights
