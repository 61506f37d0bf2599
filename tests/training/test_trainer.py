"""Training of both halves on made data: what is learnt, what is kept, and that nothing but the seed decides it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.language.inference.scoring import token_nats
from cvnlp.params.network_config import ImageFormat
from cvnlp.params.runs import Augment, LanguageTrain, Optimiser, VisionTrain
from cvnlp.params.vision_networks import LinearOptions
from cvnlp.training import trainer
from cvnlp.vision import metrics
from cvnlp.vision.batches import class_weights
from cvnlp.vision.evaluation.evaluate import predict_split
from cvnlp.vision.models import Classifier
from make_networks import language_model, make_config

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
    fitted: trainer.Fitted
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
        named: tuple[str, dict[str, Any]] | None = None,
        **changes: Any,
    ) -> Trained:
        number = next(count)
        name, options = named or MODEL[half]
        data = domains.DOMAINS[half].models.input_format(prepared.read_facts(folders[half]))
        config = make_config(half, name, data, **(options | (model or {})))
        settings = TRAIN[half] | changes
        trainer.seed_everything(seed)
        network = networks.build(config)
        fitted = trainer.fit(
            task(domains.DOMAINS[half].training.Task)(network, settings),
            trainer.Data(batches or domains.DOMAINS[half].batches, folders[half], settings, seed),
            run="mine",
            resume=tmp_path / (resume or f"resume-{number}"),
            logger=trainer.EpochLogger(write),
        )
        folder = tmp_path / f"model-{number}"
        networks.save(folder, network, config)
        return Trained(fitted, networks.load(folder)[0], (folder / networks.WEIGHTS).read_bytes())

    return run


both_halves = pytest.mark.parametrize("half", domains.HALVES)


def scripted(validation: list[float], states: list[dict[str, Any]] | None = None) -> Callable[[Any], Any]:
    """A task whose validation score is written down beforehand, and which keeps its weights of every epoch."""

    def make(task: Any) -> Any:
        class Scripted(task):
            def validation_step(self, batch: Any) -> None:
                self.tally(trainer.MONITOR, torch.tensor(validation[self.current_epoch]), 1)

            def on_validation_epoch_end(self) -> None:
                super().on_validation_epoch_end()
                if states is not None:
                    states.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})

        return Scripted

    return make


def same(network: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor.cpu(), state[name].cpu()) for name, tensor in network.state_dict().items())


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
    for (epoch, values), row in zip(logged, rows, strict=True):
        assert epoch == row["epoch"]
        assert values == {name: value for name, value in row.items() if name not in ("epoch", "step")}


def test_a_network_learns_the_made_pictures(train: Callable[..., Trained], vision_data: Path) -> None:
    trained = train("vision", epochs=8, augment=Augment().model_dump())
    probabilities, labels = predict_split(trained.network, vision_data, "test")
    assert metrics.summary(probabilities, labels, bins=15)["accuracy"] >= 0.95


def test_the_history_says_what_the_kept_classifier_scores(train: Callable[..., Trained], vision_data: Path) -> None:
    trained = train("vision")
    probabilities, labels = predict_split(trained.network, vision_data, "validation")
    found = metrics.summary(probabilities, labels, bins=15)
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(found["nll"], rel=1e-4)
    assert row["validation_accuracy"] == pytest.approx(found["accuracy"])
    assert trained.fitted.examples == 3 * 300


def validation_nats(network: Any, data: Path) -> np.ndarray:
    """Of the text as validation reads it: in columns, each from a zero state."""
    batches = domains.DOMAINS["language"].batches.validation_batches(data, LanguageTrain(epochs=1))
    inputs, targets = torch.from_numpy(batches.inputs).long(), torch.from_numpy(batches.targets).long()
    return token_nats(network, inputs, targets)[targets >= 0].numpy()


def test_the_history_says_what_the_kept_language_model_scores(
    train: Callable[..., Trained], language_data: Path
) -> None:
    trained = train("language")
    nats = validation_nats(trained.network, language_data)
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(nats.mean(), rel=1e-4)
    assert row["validation_perplexity"] == pytest.approx(math.exp(row["validation_nll"]), rel=1e-5)
    assert trained.fitted.examples == 3 * (1500 // 128) * 128


def test_a_whole_text_is_counted_by_its_tokens(train: Callable[..., Trained], language_data: Path) -> None:
    length = len(prepared.load_array(language_data, "train"))
    assert train("language", epochs=2, epoch_tokens=None).fitted.examples == 2 * length


def test_the_state_is_carried_from_window_to_window_and_its_past_is_cut(language_data: Path) -> None:
    task = domains.DOMAINS["language"].training.Task(
        language_model("rnn", 11, embedding_size=4, hidden_size=5), TRAIN["language"]
    )
    tokens = torch.randint(0, 11, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = task.network(tokens[:, :8])[1]
    task.training_step((tokens[:, :4], tokens[:, 1:5], True)).backward()
    loss = task.training_step((tokens[:, 4:8], tokens[:, 5:9], False))
    assert torch.allclose(task.state[0], whole[0], atol=1e-6)
    assert not task.state[0].requires_grad
    loss.backward()  # would fail, had it to go through the first window again
    task.training_step((tokens[:, :4], tokens[:, 1:5], True))
    assert torch.equal(task.state[0], task.network(tokens[:, :4])[1][0])


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
    assert trained.fitted == trainer.Fitted(history=[], best_epoch=0, seconds=0.0, examples=0)
    assert not (tmp_path / "untouched").exists()
    _, config = networks.load(next(tmp_path.glob("model-*")))
    torch.manual_seed(1)
    assert same(trained.network, networks.build(config).state_dict())


@both_halves
def test_a_loss_that_is_no_number_names_the_run_and_the_rate(half: str, train: Callable[..., Trained]) -> None:
    with pytest.raises(ValueError, match=r"runs\.mine\.train: .*lower lr \(now 1e\+38\)"):
        train(half, lr=1e38, clip=None)


@pytest.mark.parametrize("nats", [5.0, 100.0, 1000.0, 1e30])
def test_a_huge_loss_still_has_a_perplexity(nats: float) -> None:
    task = domains.DOMAINS["language"].training.Task(language_model("rnn", 11), TRAIN["language"])
    perplexity = torch.tensor(task.derived({"validation_nll": nats})["validation_perplexity"])
    assert torch.isfinite(perplexity)
    assert perplexity >= math.exp(5) * 0.999


def test_a_cycle_of_rate_and_momentum_survives_an_interruption(train: Callable[..., Trained]) -> None:
    options = {"optimiser": Optimiser(name="sgd", momentum=0.9, schedule="one_cycle", final=0.1).model_dump()}
    whole = train("vision", **options)
    assert [row["lr"] for row in whole.fitted.history][-1] == pytest.approx(0.1 * 0.01)
    with pytest.raises(InterruptionError):
        train("vision", resume="state", **options, **in_the_log(1))
    assert train("vision", resume="state", **options).weights == whole.weights


@both_halves
def test_undecayed_biases_train_and_resume(half: str, train: Callable[..., Trained]) -> None:
    options = {"optimiser": Optimiser(name="adamw", weight_decay=0.1, decay_all=False).model_dump()}
    whole = train(half, **options)
    assert whole.fitted.history[-1]["validation_nll"] < whole.fitted.history[0]["validation_nll"]
    with pytest.raises(InterruptionError):
        train(half, resume="state", **options, **in_the_log(1))
    assert train(half, resume="state", **options).weights == whole.weights


PLATEAU = {"optimiser": Optimiser(name="sgd", schedule="plateau", factor=0.5).model_dump(), "epochs": 5}
STAIRS = {"optimiser": Optimiser(name="sgd", schedule="exponential", hold_epochs=2).model_dump(), "epochs": 4}
SHORT = 500  # tokens of an epoch: three windows of each column
SCORES = [3.0, 2.0, 2.5, 2.0, 1.0]
schedules_by_epoch = pytest.mark.parametrize("options", [PLATEAU, STAIRS], ids=["plateau", "exponential"])


@both_halves
def test_a_plateau_lowers_the_rate_of_the_epochs_after_it(half: str, train: Callable[..., Trained]) -> None:
    rows = train(half, task=scripted(SCORES), lr=0.1, epoch_tokens=SHORT, **PLATEAU).fitted.history
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.025])


@both_halves
def test_an_exponential_rate_stays_for_its_epochs_and_then_falls(half: str, train: Callable[..., Trained]) -> None:
    rows = train(half, lr=0.1, epoch_tokens=SHORT, **STAIRS).fitted.history
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.05, 0.025, 0.0125])  # of the epoch to come


@pytest.mark.parametrize("where", ["log", "batches"])
@pytest.mark.parametrize("epoch", [1, 3])
@schedules_by_epoch
def test_a_rate_by_epochs_survives_an_interruption(
    options: dict[str, Any], epoch: int, where: str, train: Callable[..., Trained]
) -> None:
    options = options | {"task": scripted(SCORES), "epoch_tokens": SHORT}
    whole = train("language", **options)
    with pytest.raises(InterruptionError):
        train(
            "language",
            resume="state",
            **options,
            **(in_the_log(epoch) if where == "log" else in_the_batches(epoch, "language")),
        )
    resumed = train("language", resume="state", **options)
    assert resumed.weights == whole.weights
    assert resumed.fitted.history == whole.fitted.history


def test_the_gradient_is_no_longer_than_clip(train: Callable[..., Trained]) -> None:
    norms: list[float] = []

    def watching(task: Any) -> Any:
        class Watching(task):
            def on_before_zero_grad(self, optimizer: Any) -> None:
                squares = [p.grad.square().sum() for p in self.network.parameters() if p.grad is not None]
                norms.extend([math.sqrt(sum(squares))] if squares else [])

        return Watching

    train("language", task=watching, clip=0.01)
    assert norms and max(norms) == pytest.approx(0.01, rel=1e-3)
    norms.clear()
    train("language", task=watching, clip=None)
    assert max(norms) > 0.1


VARIABLE = {
    "window_lengths": "variable",
    "optimiser": Optimiser(name="sgd", schedule="constant", warmup=0).model_dump(),
}


def test_the_rate_of_a_step_is_scaled_by_the_length_of_its_window(train: Callable[..., Trained]) -> None:
    steps: list[tuple[int, float]] = []

    def watching(task: Any) -> Any:
        class Watching(task):
            def on_before_optimizer_step(self, optimizer: Any) -> None:
                steps.append((self.length, optimizer.param_groups[0]["lr"]))

            def training_step(self, batch: Any) -> Any:
                self.length = batch[0].shape[1]
                return super().training_step(batch)

        return Watching

    rows = train("language", task=watching, lr=0.5, **VARIABLE).fitted.history
    assert len(steps) == 3 * (1500 // 128)
    assert len({length for length, _ in steps}) > 3
    assert [rate for _, rate in steps] == pytest.approx([0.5 * length / 16 for length, _ in steps])
    assert [row["lr"] for row in rows] == [0.5, 0.5, 0.5]
    steps.clear()
    train("language", task=watching, lr=0.5, **VARIABLE | {"window_lengths": "fixed"})
    assert {rate for _, rate in steps} == {0.5}


@pytest.mark.parametrize("where", ["log", "batches"])
@pytest.mark.parametrize("part", [{"epoch_tokens": SHORT}, {"epoch_tokens": None, "batch_size": 64}])
def test_variable_windows_survive_an_interruption(
    part: dict[str, Any], where: str, train: Callable[..., Trained]
) -> None:
    options = VARIABLE | part
    whole = train("language", **options)
    interruption = in_the_log(1) if where == "log" else in_the_batches(1, "language")
    with pytest.raises(InterruptionError):
        train("language", resume="state", **options, **interruption)
    torch.rand(7)
    resumed = train("language", resume="state", **options)
    assert resumed.weights == whole.weights
    assert resumed.fitted.history == whole.fitted.history
    assert whole.weights != train("language", **options | {"window_lengths": "fixed"}).weights


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_output_bias_at_the_frequencies_is_begun_with_once(epoch: int, train: Callable[..., Trained]) -> None:
    options = {"model": {"output_bias": "frequencies"}}
    whole = train("language", **options)
    with pytest.raises(InterruptionError):
        train("language", resume="state", **options, **in_the_batches(epoch, "language"))
    resumed = train("language", resume="state", **options)
    assert resumed.weights == whole.weights
    assert whole.fitted.history[0]["train_loss"] < train("language").fitted.history[0]["train_loss"]


PRUNED = {"prune": {"easy": 0.75, "skip": 0.6}, "epochs": 4}


@pytest.mark.parametrize("epoch", [1, 2])
def test_what_is_easy_survives_an_interruption(epoch: int, train: Callable[..., Trained]) -> None:
    whole = train("vision", **PRUNED)
    assert whole.fitted.examples == 4 * (300 - 135)
    with pytest.raises(InterruptionError):
        train("vision", resume="state", **PRUNED, **in_the_batches(epoch, "vision"))
    torch.rand(7)
    resumed = train("vision", resume="state", **PRUNED)
    assert resumed.weights == whole.weights
    assert resumed.fitted.history == whole.fitted.history


def test_a_network_learns_the_made_pictures_without_many_of_the_easy_ones(
    train: Callable[..., Trained], vision_data: Path
) -> None:
    trained = train("vision", **PRUNED | {"epochs": 16}, augment=Augment().model_dump())
    probabilities, labels = predict_split(trained.network, vision_data, "test")
    assert metrics.summary(probabilities, labels, bins=15)["accuracy"] >= 0.95


def test_classes_are_weighed_by_their_rarity(train: Callable[..., Trained], tmp_path: Path) -> None:
    """Nine pictures of ten are of one class and alike: balanced, the classifier no longer prefers it."""
    folder = tmp_path / "unbalanced"
    labels = np.repeat(np.array([0, 1], dtype=np.uint8), [180, 20])
    for split in prepared.SPLITS:
        prepared.save_array(folder, f"{split}_images", np.zeros((200, 4, 4, 1), dtype=np.uint8))
        prepared.save_array(folder, f"{split}_labels", labels)
    facts = {"shape": [4, 4, 1], "classes": ["often", "rare", "never"], "mean": [0.1], "std": [0.2]}
    prepared.save_facts(folder, facts, ["train_images", "train_labels"])
    assert class_weights(folder).tolist() == pytest.approx([200 / 360, 200 / 40, 0.0])

    def rare(**changes: Any) -> float:
        data = domains.DOMAINS["vision"].models.input_format(prepared.read_facts(folder))
        network = networks.build(make_config("vision", "mlp", data, hidden=[4]), seed=1)
        settings = TRAIN["vision"] | {"label_smoothing": 0.0, "epochs": 60} | changes
        trainer.fit(
            domains.DOMAINS["vision"].training.Task(network, settings),
            trainer.Data(domains.DOMAINS["vision"].batches, folder, settings, 1),
            run="mine",
            resume=tmp_path / f"unbalanced-{len(changes)}",
            logger=trainer.EpochLogger(lambda metrics, epoch: None),
        )
        return network.eval()(torch.zeros(1, 1, 4, 4)).softmax(1)[0, 1].item()

    assert rare() < 0.2
    assert rare(class_weights="balanced") == pytest.approx(0.5, abs=0.1)


def test_the_loss_is_the_weighted_one_of_torch() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    task = domains.DOMAINS["vision"].training.Task(network, VisionTrain(epochs=1, label_smoothing=0.1).model_dump())
    images, labels = torch.rand(6, 1, 2, 2), torch.tensor([0, 1, 2, 0, 0, 1])
    task.class_weights = torch.tensor([0.5, 1.0, 3.0])
    expected = nn.CrossEntropyLoss(weight=task.class_weights, label_smoothing=0.1)(network(images), labels)
    assert torch.allclose(task.training_step((images, labels)), expected)


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


# Averages of weights

EMA = {"average": "ema", "average_decay": 0.8, "average_start": 0.0}
SWA = {"average": "swa", "average_decay": None, "average_start": 0.5}
both_averages = pytest.mark.parametrize("average", [EMA, SWA], ids=["ema", "swa"])


class Normed(Classifier):
    """With everything that an average must get right: batch normalisation, dropout, weights used twice."""

    def __init__(self, images: ImageFormat, options: LinearOptions) -> None:
        super().__init__(images)
        height, width, channels = images.shape
        again = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        block = [nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), again, nn.BatchNorm2d(4), again]
        output = nn.Linear(4 * height * width, images.classes)
        self.layers = nn.Sequential(*block, nn.Flatten(), nn.Dropout(0.1), output)


@pytest.fixture
def normed(monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """In the place of `linear`."""
    monkeypatch.setitem(domains.DOMAINS["vision"].models.MODELS, "linear", Normed)
    return "linear", {}


def watched(states: list[dict[str, torch.Tensor]], validation: list[float]) -> Callable[[Any], Any]:
    """A task that writes down the weights after every step, and whose validation score is given."""

    def make(task: Any) -> Any:
        class Watched(scripted(validation)(task)):
            def on_train_batch_end(self, *arguments: Any) -> None:
                super().on_train_batch_end(*arguments)
                states.append({name: one.detach().clone() for name, one in self.network.named_parameters()})

        return Watched

    return make


@both_halves
@both_averages
def test_the_average_of_the_steps_is_kept(half: str, average: dict[str, Any], train: Callable[..., Trained]) -> None:
    states: list[dict[str, torch.Tensor]] = []
    trained = train(half, task=watched(states, [3.0, 2.0, 1.0]), **average)
    counted = states[round(average["average_start"] * len(states)) :]
    assert len(counted) in (len(states), len(states) // 2, len(states) // 2 + 1)
    for name, found in trained.network.named_parameters():
        expected = counted[0][name]
        for number, state in enumerate(counted[1:], start=2):
            share = 1 / number if average is SWA else 0.2
            expected = expected + share * (state[name] - expected)
        assert torch.allclose(found.cpu(), expected.cpu(), atol=1e-5), name


@both_averages
def test_the_averaged_classifier_is_the_one_validated(
    average: dict[str, Any], train: Callable[..., Trained], vision_data: Path, normed: Any
) -> None:
    for named in (None, normed):
        trained = train("vision", named=named, **average)
        probabilities, labels = predict_split(trained.network, vision_data, "validation")
        row = trained.fitted.history[trained.fitted.best_epoch]
        found = metrics.summary(probabilities, labels, bins=15)
        assert row["validation_nll"] == pytest.approx(found["nll"], rel=1e-4)


@both_averages
def test_the_averaged_language_model_is_the_one_validated(
    average: dict[str, Any], train: Callable[..., Trained], language_data: Path
) -> None:
    trained = train("language", model={"embedding_size": 16, "tied": True}, **average)
    nats = validation_nats(trained.network, language_data)
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(nats.mean(), rel=1e-4)


@both_averages
def test_an_average_does_not_change_what_is_averaged(
    average: dict[str, Any], train: Callable[..., Trained], normed: Any
) -> None:
    plain, averaged = train("vision", named=normed), train("vision", named=normed, **average)
    assert [row["train_loss"] for row in plain.fitted.history] == [row["train_loss"] for row in averaged.fitted.history]
    assert plain.weights != averaged.weights


def test_before_an_average_begins_the_weights_themselves_count(train: Callable[..., Trained]) -> None:
    late = SWA | {"average_start": 0.7}
    plain = train("vision", task=scripted([1.0, 2.0, 3.0]))
    assert train("vision", task=scripted([1.0, 2.0, 3.0]), **late).weights == plain.weights
    plain, averaged = train("vision").fitted.history, train("vision", **late).fitted.history
    assert plain[:2] == averaged[:2]
    assert plain[2]["validation_nll"] != averaged[2]["validation_nll"]


@pytest.mark.parametrize("where", ["log", "batches"])
@pytest.mark.parametrize("epoch", [0, 1, 2])
@both_averages
def test_an_interrupted_average_ends_in_the_same_bytes(
    average: dict[str, Any], epoch: int, where: str, train: Callable[..., Trained], normed: Any
) -> None:
    for half, named in (("vision", normed), ("language", None)):
        interruption = in_the_log(epoch) if where == "log" else in_the_batches(epoch, half)
        whole = train(half, named=named, **average)
        with pytest.raises(InterruptionError):
            train(half, named=named, resume=f"state-{half}", **average, **interruption)
        torch.rand(7)
        resumed = train(half, named=named, resume=f"state-{half}", **average)
        assert resumed.weights == whole.weights
        assert resumed.fitted.history == whole.fitted.history


NT_ASGD = {"average": "nt_asgd", "average_decay": None, "average_start": None, "average_interval": 1, "epochs": 6}
STALLING = [5.0, 4.0, 4.5, 4.2, 4.1, 3.0]  # worse than one of more than one epoch before for the first time in 3


@both_halves
def test_nt_asgd_averages_all_steps_after_the_trigger(half: str, train: Callable[..., Trained]) -> None:
    states: list[dict[str, torch.Tensor]] = []
    trained = train(half, task=watched(states, STALLING), epoch_tokens=SHORT, **NT_ASGD)
    counted = states[4 * len(states) // 6 :]
    for name, found in trained.network.named_parameters():
        expected = torch.stack([state[name] for state in counted]).mean(0)
        assert torch.allclose(found.cpu(), expected.cpu(), atol=1e-5), name


def test_before_the_trigger_the_weights_themselves_are_kept(train: Callable[..., Trained]) -> None:
    scores = [5.0, 4.0, 4.5, 3.9, 3.8, 3.0]  # never worse than one of more than one epoch before
    plain = train("language", task=scripted(scores), epochs=6, epoch_tokens=SHORT)
    assert train("language", task=scripted(scores), epoch_tokens=SHORT, **NT_ASGD).weights == plain.weights
    scores = [5.0, 1.0, 4.5, 4.2, 4.1, 3.0]  # the best is before the trigger
    plain = train("language", task=scripted(scores), epochs=6, epoch_tokens=SHORT)
    assert train("language", task=scripted(scores), epoch_tokens=SHORT, **NT_ASGD).weights == plain.weights


@pytest.mark.parametrize("where", ["log", "batches"])
@pytest.mark.parametrize("epoch", [1, 3, 4, 5])
def test_nt_asgd_ends_in_the_same_bytes_after_an_interruption(
    epoch: int, where: str, train: Callable[..., Trained]
) -> None:
    """Before the trigger, at it, and after it."""
    options = NT_ASGD | VARIABLE | {"task": scripted(STALLING), "epoch_tokens": SHORT}
    whole = train("language", **options)
    interruption = in_the_log(epoch) if where == "log" else in_the_batches(epoch, "language")
    with pytest.raises(InterruptionError):
        train("language", resume="state", **options, **interruption)
    resumed = train("language", resume="state", **options)
    assert resumed.weights == whole.weights
    assert resumed.fitted.history == whole.fitted.history


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


class Broken:
    """Batches of which the third does not come."""

    def __init__(self, whole: Any) -> None:
        vars(self)["whole"] = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.whole, name, value)

    def __len__(self) -> int:
        return len(self.whole)

    def __iter__(self) -> Iterator[Any]:
        for number, batch in enumerate(self.whole):
            if number == 2:
                raise InterruptionError
            yield batch


def in_the_batches(epoch: int, half: str) -> dict[str, Any]:
    """Interrupted after two batches of an epoch."""
    real = domains.DOMAINS[half].batches

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
    real = domains.DOMAINS["vision"].batches
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
        trainer.EpochSeed(1).on_train_epoch_start(SimpleNamespace(current_epoch=epoch), None)
        drawn.append(torch.rand(4).tolist())
    trainer.EpochSeed(1).on_train_epoch_start(SimpleNamespace(current_epoch=1), None)
    assert torch.rand(4).tolist() == drawn[1]
    assert drawn[0] != drawn[1] != drawn[2]
