"""Training of both halves on small data: what is learned, which weights are kept, what decides the result."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.language.batches import validation_batches
from cvnlp.language.inference.scoring import token_nats
from cvnlp.params.runs import Augment, LanguageTrain
from cvnlp.training import trainer
from cvnlp.training.trainer import Fitted
from cvnlp.vision import metrics
from cvnlp.vision.inference import predict_split
from make_trainings import Trained, same_weights, scripted

both_halves = pytest.mark.parametrize("half", domains.HALVES)


# The result of a training


@both_halves
def test_training_lowers_the_loss_and_records_every_epoch(half: str, train: Callable[..., Trained]) -> None:
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


@pytest.mark.parametrize("options", [{"epochs": 8}, {"epochs": 16, "prune": {"easy": 0.75, "skip": 0.6}}])
def test_a_classifier_learns_the_images(
    options: dict[str, Any], train: Callable[..., Trained], vision_data: Path
) -> None:
    trained = train("vision", augment=Augment(), **options)
    probabilities, labels = predict_split(trained.network, vision_data, "test")
    assert metrics.summary(probabilities, labels, bins=15)["accuracy"] >= 0.95


def test_the_history_has_the_scores_of_the_saved_classifier(train: Callable[..., Trained], vision_data: Path) -> None:
    trained = train("vision")
    probabilities, labels = predict_split(trained.network, vision_data, "validation")
    scores = metrics.summary(probabilities, labels, bins=15)
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(scores["nll"], rel=1e-4)
    assert row["validation_accuracy"] == pytest.approx(scores["accuracy"])
    assert trained.fitted.examples == 3 * 300


def test_the_history_has_the_scores_of_the_saved_language_model(
    train: Callable[..., Trained], language_data: Path
) -> None:
    trained = train("language")
    batches = validation_batches(language_data, LanguageTrain(epochs=1))
    inputs, targets = batches.cut(0, batches.length)
    nats = token_nats(trained.network, inputs, targets)[targets >= 0].numpy()
    row = trained.fitted.history[trained.fitted.best_epoch]
    assert row["validation_nll"] == pytest.approx(nats.mean(), rel=1e-4)
    assert row["validation_perplexity"] == pytest.approx(math.exp(row["validation_nll"]), rel=1e-5)
    assert trained.fitted.examples == 3 * (1500 // 128) * 128


def test_the_tokens_of_a_whole_text_are_counted(train: Callable[..., Trained], language_data: Path) -> None:
    length = len(prepared.load_array(language_data, "train"))
    assert train("language", epochs=2, epoch_tokens=None).fitted.examples == 2 * length


@both_halves
def test_mixed_precision_trains_float32_weights(half: str, train: Callable[..., Trained]) -> None:
    trained = train(half, precision="bf16", epochs=2)
    assert all(tensor.dtype == torch.float32 for tensor in trained.network.state_dict().values())
    assert trained.fitted.history[-1]["validation_nll"] < trained.fitted.history[0]["validation_nll"]
    assert trained.weights != train(half, epochs=2).weights


@both_halves
def test_zero_epochs_keep_the_initial_weights(half: str, train: Callable[..., Trained], tmp_path: Path) -> None:
    def fail(metrics: dict[str, float], epoch: int) -> None:
        raise AssertionError("no epoch, no metrics")

    trained = train(half, epochs=0, resume="state", write=fail)
    assert trained.fitted == Fitted(history=[], best_epoch=0, seconds=0.0, examples=0)
    assert not (tmp_path / "state").exists()
    config = networks.load(next(tmp_path.glob("model-*")))[1]
    assert same_weights(trained.network, networks.build(config, seed=1).state_dict())


@both_halves
def test_a_loss_that_is_not_a_number_names_run_and_learning_rate(half: str, train: Callable[..., Trained]) -> None:
    with pytest.raises(ValueError, match=r"runs\.mine\.train: .*lower lr \(now 1e\+38\)"):
        train(half, lr=1e38, **({"clip": None} if half == "language" else {}))


def test_the_gradient_norm_is_at_most_clip(train: Callable[..., Trained]) -> None:
    norms: list[float] = []

    def record(task: Any) -> Any:
        class Recorded(task):
            def on_before_zero_grad(self, optimizer: Any) -> None:
                squares = [p.grad.square().sum() for p in self.network.parameters() if p.grad is not None]
                norms.extend([math.sqrt(sum(squares))] if squares else [])

        return Recorded

    train("language", wrap=record, clip=0.01)
    assert norms and max(norms) == pytest.approx(0.01, rel=1e-3)
    norms.clear()
    train("language", wrap=record, clip=None)
    assert max(norms) > 0.1


# Which weights are kept


@pytest.mark.parametrize(
    ("validation", "best"), [([3.0, 1.0, 2.0], 1), ([1.0, 2.0, 3.0], 0), ([3.0, 2.0, 1.0], 2), ([2.0, 1.0, 1.0], 1)]
)
def test_the_weights_of_the_best_epoch_are_kept(
    validation: list[float], best: int, train: Callable[..., Trained]
) -> None:
    states: list[dict[str, Any]] = []
    trained = train("vision", wrap=scripted(validation, states))
    assert trained.fitted.best_epoch == best
    assert [same_weights(trained.network, state) for state in states] == [epoch == best for epoch in range(3)]


@both_halves
def test_training_stops_after_patience_epochs_without_improvement(half: str, train: Callable[..., Trained]) -> None:
    states: list[dict[str, Any]] = []
    trained = train(half, wrap=scripted([5.0, 4.0, 4.5, 4.6, 1.0, 0.5], states), epochs=6, patience=2)
    assert [row["validation_nll"] for row in trained.fitted.history] == pytest.approx([5.0, 4.0, 4.5, 4.6])
    assert trained.fitted.best_epoch == 1
    assert same_weights(trained.network, states[1])


def test_without_patience_all_epochs_are_trained(train: Callable[..., Trained]) -> None:
    trained = train("vision", wrap=scripted([1.0, 2.0, 3.0, 4.0, 5.0]), epochs=5, patience=None)
    assert len(trained.fitted.history) == 5


# Randomness


@both_halves
def test_the_seed_decides_every_byte_of_the_model(half: str, train: Callable[..., Trained]) -> None:
    first, again, other = train(half), train(half), train(half, seed=2)
    assert first.weights == again.weights
    assert first.fitted.history == again.fitted.history
    assert first.weights != other.weights


def test_every_epoch_has_batches_of_its_own(train: Callable[..., Trained]) -> None:
    epochs: list[int] = []

    def record(task: Any) -> Any:
        class Recorded(task):
            def train_batches(self, epoch: int) -> Any:
                epochs.append(epoch)
                return super().train_batches(epoch)

        return Recorded

    train("vision", wrap=record)
    assert sorted(set(epochs)) == [0, 1, 2]
    assert epochs == sorted(epochs)


@pytest.mark.parametrize(("capability", "expected"), [("amx_bf16", "bf16-mixed"), ("avx2", "32-true")])
def test_precision_auto_is_bfloat16_where_the_processor_has_instructions_for_it(
    capability: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {capability: True, "avx512_bf16": False})
    assert trainer._precision("auto", torch.device("cpu")) == expected
    assert trainer._precision("bf16", torch.device("cpu")) == "bf16-mixed"
    assert trainer._precision("32", torch.device("cpu")) == "32-true"
