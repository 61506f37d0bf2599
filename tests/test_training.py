"""Training of both halves on made data: what is learnt, what is kept, and that nothing but the seed decides it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from cvnlp import domain, files, networks, optimisation, prepared, training
from cvnlp.language.evaluation import token_nats
from cvnlp.language.models.recurrent import Rnn
from cvnlp.params.runs import Augment, LanguageTrain, VisionTrain
from cvnlp.vision import scores
from cvnlp.vision.evaluation import predict_split

# Every kind of chance is on: dropout, augmentation, the order of the pictures, an epoch that ends within the text.
TRAIN = {
    "vision": VisionTrain(
        epochs=3,
        batch_size=64,
        lr=0.01,
        label_smoothing=0.05,
        augment=Augment(shift=1.0, rotation=5.0, scale=0.1),
    ).model_dump(),
    "language": LanguageTrain(epochs=3, batch_size=8, window=16, lr=0.01, clip=1.0, epoch_tokens=1500).model_dump(),
}
MODEL = {
    "vision": ("mlp", {"hidden": [16], "dropout": 0.2}),
    "language": ("lstm", {"embedding_size": 8, "hidden_size": 16, "layers": 2, "dropout": 0.2}),
}


@dataclass
class Trained:
    fitted: training.Fitted
    network: nn.Module
    weights: bytes


class InterruptionError(Exception):
    pass


@pytest.fixture
def train(vision_data: Path, language_data: Path, tmp_path: Path) -> Callable[..., Trained]:
    """Train as the stage does; `resume` names the folder of the state, a fresh one unless told."""
    folders = {"vision": vision_data, "language": language_data}
    count = iter(range(100))

    def run(
        half: str,
        *,
        seed: int = 1,
        resume: str | None = None,
        write: Callable[[dict[str, float], int], None] = lambda metrics, epoch: None,
        task: Callable[[Any], Any] = lambda task: task,
        batches: Any = None,
        model: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Trained:
        number = next(count)
        name, options = MODEL[half]
        data = domain.part(half, "models").network_arguments(prepared.facts(folders[half]))
        config = {"domain": half, "name": name, "data": data, "options": options | (model or {})}
        settings = TRAIN[half] | changes
        training.seed_everything(seed)
        network = networks.build(config)
        fitted = training.fit(
            task(domain.part(half, "task").Task)(network, settings),
            training.Data(batches or domain.part(half, "batches"), folders[half], settings, seed),
            run="mine",
            resume=tmp_path / (resume or f"resume-{number}"),
            logger=training.EpochLogger(write),
        )
        folder = tmp_path / f"model-{number}"
        networks.save(folder, network, config)
        return Trained(fitted, networks.load(folder)[0], (folder / networks.WEIGHTS).read_bytes())

    return run


both_halves = pytest.mark.parametrize("half", domain.HALVES)


def scripted(validation: list[float], states: list[dict[str, Any]] | None = None) -> Callable[[Any], Any]:
    """A task whose validation score is written down beforehand, and which keeps its weights of every epoch."""

    def make(task: Any) -> Any:
        class Scripted(task):
            def validation_step(self, batch: Any) -> None:
                self.tally(training.MONITOR, torch.tensor(validation[self.current_epoch]), 1)

            def on_validation_epoch_end(self) -> None:
                super().on_validation_epoch_end()
                if states is not None:
                    states.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})

        return Scripted

    return make


def same(network: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor.cpu(), state[name].cpu()) for name, tensor in network.state_dict().items())


# The schedule and the optimiser


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
@pytest.mark.parametrize(("warmup", "rising"), [(0.0, 0), (0.05, 5), (0.2, 20)])
def test_the_schedule_rises_in_a_line_to_the_whole_rate(name: str, warmup: float, rising: int) -> None:
    factor = optimisation.schedule(name, warmup, 100)
    assert [factor(step) for step in range(rising)] == pytest.approx([(n + 1) / (rising + 1) for n in range(rising)])
    assert factor(rising) == pytest.approx(1.0)
    assert max(factor(step) for step in range(101)) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["cosine", "linear"])
@pytest.mark.parametrize("steps", [1, 2, 10, 997])
def test_the_schedule_falls_to_zero_at_its_end_and_not_before(name: str, steps: int) -> None:
    factor = optimisation.schedule(name, 0.1, steps)
    values = [factor(step) for step in range(round(0.1 * steps), steps)]
    assert values == sorted(values, reverse=True)
    assert all(value > 0 for value in values)
    assert factor(steps) == pytest.approx(0.0, abs=1e-12)


def test_the_middle_of_the_fall_is_half_the_rate() -> None:
    assert optimisation.schedule("linear", 0.2, 100)(60) == pytest.approx(0.5)
    assert optimisation.schedule("cosine", 0.2, 100)(60) == pytest.approx(0.5)
    assert optimisation.schedule("cosine", 0.0, 100)(25) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))


def test_a_constant_schedule_stays() -> None:
    factor = optimisation.schedule("constant", 0.1, 50)
    assert {factor(step) for step in range(5, 51)} == {1.0}


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({"name": "adamw", "momentum": 0.0}, torch.optim.AdamW, {"betas": (0.9, 0.999)}),
        ({"name": "sgd", "momentum": 0.0}, torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        ({"name": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_the_optimiser_is_the_one_named(options: dict[str, Any], kind: type, expected: dict[str, Any]) -> None:
    network = nn.Linear(3, 2)
    made = optimisation.make_optimiser(network, lr=0.25, weight_decay=0.125, schedule="cosine", warmup=0.1, **options)
    (group,) = made.param_groups
    assert type(made) is kind
    assert {"lr": 0.25, "weight_decay": 0.125, **expected}.items() <= group.items()
    assert {id(parameter) for parameter in group["params"]} == {id(parameter) for parameter in network.parameters()}


def test_a_step_of_sgd_is_the_gradient_times_the_rate() -> None:
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    made = optimisation.make_optimiser(network, name="sgd", lr=0.5, weight_decay=0.1, momentum=0.0)
    network(torch.tensor([[2.0, 3.0]])).sum().backward()
    made.step()
    assert torch.allclose(network.weight, before - 0.5 * (torch.tensor([[2.0, 3.0]]) + 0.1 * before))


# What a training gives


@both_halves
def test_training_lowers_the_loss_and_writes_a_row_an_epoch(half: str, train: Callable[..., Trained]) -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    rows = train(half, write=lambda metrics, epoch: logged.append((epoch, metrics))).fitted.history
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert {"epoch", "step", "lr", "train_loss", "validation_nll"} <= set(rows[0])
    assert rows[-1]["validation_nll"] < rows[0]["validation_nll"]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert rows[-1]["lr"] == pytest.approx(0.0, abs=1e-12)
    assert [row["step"] for row in rows] == [rows[0]["step"] * epoch for epoch in (1, 2, 3)]
    for (epoch, metrics), row in zip(logged, rows, strict=True):
        assert epoch == row["epoch"]
        assert metrics == {name: value for name, value in row.items() if name not in ("epoch", "step")}


def test_a_network_learns_the_made_pictures(train: Callable[..., Trained], vision_data: Path) -> None:
    trained = train("vision", epochs=8, augment={"shift": 0.0, "rotation": 0.0, "scale": 0.0})
    probabilities, labels = predict_split(trained.network, vision_data, "test")
    assert scores.summary(probabilities, labels, bins=15)["accuracy"] >= 0.95


def test_the_history_says_what_the_kept_classifier_scores(train: Callable[..., Trained], vision_data: Path) -> None:
    trained = train("vision")
    probabilities, labels = predict_split(trained.network, vision_data, "validation")
    found = scores.summary(probabilities, labels, bins=15)
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(found["nll"], rel=1e-4)
    assert row["validation_accuracy"] == pytest.approx(found["accuracy"])
    assert trained.fitted.examples == 3 * 300


def test_the_history_says_what_the_kept_language_model_scores(
    train: Callable[..., Trained], language_data: Path
) -> None:
    trained = train("language")
    tokens, start = prepared.load_array(language_data, "validation"), prepared.facts(language_data)["start"]
    columns = domain.part("language", "batches").VALIDATION_COLUMNS
    nats = token_nats(trained.network, tokens, start, columns=columns)
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(nats.mean(), rel=1e-4)
    assert row["validation_perplexity"] == pytest.approx(math.exp(row["validation_nll"]), rel=1e-5)
    assert trained.fitted.examples == 3 * (1500 // 128) * 128


def test_a_whole_text_is_counted_by_its_tokens(train: Callable[..., Trained], language_data: Path) -> None:
    length = len(prepared.load_array(language_data, "train"))
    assert train("language", epochs=2, epoch_tokens=None).fitted.examples == 2 * length


def test_the_state_is_carried_from_window_to_window_and_its_past_is_cut(language_data: Path) -> None:
    task = domain.part("language", "task").Task(Rnn(11, embedding_size=4, hidden_size=5), TRAIN["language"])
    tokens = torch.randint(0, 11, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = task.network(tokens[:, :8])[1]
    task.training_step((tokens[:, :4], tokens[:, 1:5], True)).backward()
    loss = task.training_step((tokens[:, 4:8], tokens[:, 5:9], False))
    assert torch.allclose(task.state, whole, atol=1e-6)
    assert not task.state.requires_grad
    loss.backward()  # would fail, had it to go through the first window again
    task.training_step((tokens[:, :4], tokens[:, 1:5], True))
    assert torch.equal(task.state, task.network(tokens[:, :4])[1])


@both_halves
def test_mixed_precision_trains_float32_weights(half: str, train: Callable[..., Trained]) -> None:
    trained = train(half, precision="bf16", epochs=2)
    assert all(tensor.dtype == torch.float32 for tensor in trained.network.state_dict().values())
    assert trained.fitted.history[-1]["validation_nll"] < trained.fitted.history[0]["validation_nll"]
    assert trained.weights != train(half, epochs=2).weights


@both_halves
def test_no_epochs_leave_the_first_weights(half: str, train: Callable[..., Trained], tmp_path: Path) -> None:
    def never(metrics: dict[str, float], epoch: int) -> None:
        raise AssertionError("there is nothing to write")

    trained = train(half, epochs=0, resume="untouched", write=never)
    assert trained.fitted == training.Fitted(history=[], best_epoch=0, seconds=0.0, examples=0)
    assert not (tmp_path / "untouched").exists()
    config = files.read_json(next(tmp_path.glob("model-*")) / networks.CONFIG)
    torch.manual_seed(1)
    assert same(trained.network, networks.build(config).state_dict())


@both_halves
def test_a_loss_that_is_no_number_names_the_run_and_the_rate(half: str, train: Callable[..., Trained]) -> None:
    with pytest.raises(ValueError, match=r"runs\.mine\.train: .*lower lr \(now 1e\+38\)"):
        train(half, lr=1e38, clip=None)


@pytest.mark.parametrize("nats", [5.0, 100.0, 1000.0, 1e30])
def test_a_huge_loss_still_has_a_perplexity(nats: float) -> None:
    task = domain.part("language", "task").Task(Rnn(11), TRAIN["language"])
    perplexity = torch.tensor(task.derived({"validation_nll": nats})["validation_perplexity"])
    assert torch.isfinite(perplexity)
    assert perplexity >= math.exp(5) * 0.999


# Which weights are kept


@pytest.mark.parametrize(
    ("validation", "best"), [([3.0, 1.0, 2.0], 1), ([1.0, 2.0, 3.0], 0), ([3.0, 2.0, 1.0], 2), ([2.0, 1.0, 1.0], 1)]
)
def test_the_weights_of_the_best_epoch_are_kept(
    validation: list[float], best: int, train: Callable[..., Trained]
) -> None:
    states: list[dict[str, Any]] = []
    trained = train("vision", task=scripted(validation, states))
    assert trained.fitted.best_epoch == best
    assert [same(trained.network, state) for state in states] == [epoch == best for epoch in range(3)]


@both_halves
def test_training_stops_when_patience_ends(half: str, train: Callable[..., Trained]) -> None:
    states: list[dict[str, Any]] = []
    trained = train(half, task=scripted([5.0, 4.0, 4.5, 4.6, 1.0, 0.5], states), epochs=6, patience=2)
    assert [row["validation_nll"] for row in trained.fitted.history] == pytest.approx([5.0, 4.0, 4.5, 4.6])
    assert trained.fitted.best_epoch == 1
    assert same(trained.network, states[1])


def test_without_patience_every_epoch_is_trained(train: Callable[..., Trained]) -> None:
    trained = train("vision", task=scripted([1.0, 2.0, 3.0, 4.0, 5.0]), epochs=5, patience=None)
    assert len(trained.fitted.history) == 5


def test_a_training_that_stopped_early_stays_stopped(train: Callable[..., Trained]) -> None:
    """Its process may be killed after the last epoch and before the weights are saved."""
    validation = [5.0, 4.0, 4.5, 4.6, 1.0, 0.5]
    first = train("vision", task=scripted(validation), epochs=6, patience=2, resume="state")
    again = train("vision", task=scripted(validation), epochs=6, patience=2, resume="state")
    assert again.fitted.history == first.fitted.history
    assert again.weights == first.weights


# Chance and interruption


@both_halves
def test_the_seed_decides_every_byte_of_the_model(half: str, train: Callable[..., Trained]) -> None:
    first, again, other = train(half), train(half), train(half, seed=2)
    assert first.weights == again.weights
    assert first.fitted.history == again.fitted.history
    assert first.weights != other.weights


def in_the_log(epoch: int) -> dict[str, Any]:
    """Interrupted while the metrics of an epoch are written."""

    def write(metrics: dict[str, float], at: int) -> None:
        if at == epoch:
            raise InterruptionError

    return {"write": write}


def in_the_batches(epoch: int, half: str) -> dict[str, Any]:
    """Interrupted after two batches of an epoch."""
    real = domain.part(half, "batches")

    class Broken:
        def __init__(self, whole: Any) -> None:
            self.whole = whole

        def __len__(self) -> int:
            return len(self.whole)

        def __iter__(self) -> Iterator[Any]:
            for number, batch in enumerate(self.whole):
                if number == 2:
                    raise InterruptionError
                yield batch

    def train_batches(*arguments: Any, **named: Any) -> Any:
        whole = real.train_batches(*arguments, **named)
        return Broken(whole) if named["epoch"] == epoch else whole

    return {"batches": SimpleNamespace(train_batches=train_batches, split_batches=real.split_batches)}


@pytest.mark.parametrize("where", ["log", "batches"])
@pytest.mark.parametrize("epoch", [0, 1, 2])
@both_halves
def test_an_interrupted_training_ends_where_it_would_have(
    half: str, epoch: int, where: str, train: Callable[..., Trained]
) -> None:
    whole = train(half)
    interruption = in_the_log(epoch) if where == "log" else in_the_batches(epoch, half)
    with pytest.raises(InterruptionError):
        train(half, resume="state", **interruption)
    torch.rand(7)  # chance has moved on
    logged: list[int] = []
    resumed = train(half, resume="state", write=lambda metrics, at: logged.append(at))
    assert resumed.weights == whole.weights
    assert resumed.fitted.history == whole.fitted.history
    assert resumed.fitted.best_epoch == whole.fitted.best_epoch
    assert resumed.fitted.examples == whole.fitted.examples
    assert logged == list(range(epoch, 3))  # what was done is not done again


def test_patience_counts_on_over_an_interruption(train: Callable[..., Trained]) -> None:
    options = {"task": scripted([5.0, 4.0, 4.5, 4.6, 1.0, 0.5]), "epochs": 6, "patience": 2}
    whole = train("vision", **options)
    with pytest.raises(InterruptionError):
        train("vision", resume="state", **options, **in_the_log(3))
    resumed = train("vision", resume="state", **options)
    assert resumed.fitted.history == whole.fitted.history
    assert resumed.weights == whole.weights


@both_halves
def test_a_finished_training_is_not_done_again(half: str, train: Callable[..., Trained]) -> None:
    first = train(half, resume="state")
    again = train(half, resume="state", **in_the_log(3))
    assert again.weights == first.weights
    assert again.fitted.history == first.fitted.history
    assert again.fitted.examples == first.fitted.examples


def test_every_epoch_asks_for_its_own_batches(train: Callable[..., Trained]) -> None:
    real = domain.part("vision", "batches")
    asked: list[int] = []

    def train_batches(*arguments: Any, **named: Any) -> Any:
        asked.append(named["epoch"])
        return real.train_batches(*arguments, **named)

    train("vision", batches=SimpleNamespace(train_batches=train_batches, split_batches=real.split_batches))
    assert sorted(set(asked)) == [0, 1, 2]
    assert asked == sorted(asked)


def test_the_epochs_of_a_training_draw_differently() -> None:
    drawn = []
    for epoch in range(3):
        training.EpochSeed(1).on_train_epoch_start(SimpleNamespace(current_epoch=epoch), None)
        drawn.append(torch.rand(4).tolist())
    training.EpochSeed(1).on_train_epoch_start(SimpleNamespace(current_epoch=1), None)
    assert torch.rand(4).tolist() == drawn[1]
    assert drawn[0] != drawn[1] != drawn[2]
