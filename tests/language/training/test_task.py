"""The task of a language model: its loss, the state between windows, regularisation and output bias."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.language.batches import IGNORED, TokenBatch
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.language.training.task import Task, regularisation
from cvnlp.params.runs import LanguageTrain
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY = 11


def make_task(name: str = "lstm", model: dict[str, Any] | None = None, **train: Any) -> Task:
    torch.manual_seed(0)
    network = language_model(name, VOCABULARY, embedding_size=6, hidden_size=16, layers=2, **(model or {}))
    return Task(network, LanguageTrain(epochs=1, **train), folder=Path(), seed=1)


def make_batch(length: int = 7) -> TokenBatch:
    tokens = torch.randint(0, VOCABULARY, (3, length + 1), generator=torch.Generator().manual_seed(1))
    return TokenBatch(tokens[:, :-1], tokens[:, 1:].clone(), reset_state=True)


def gradients(task: Task, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [*task.network.parameters()]))


@pytest.mark.parametrize("output", ["plain", "chunked", "grouped", "adaptive"])
@pytest.mark.parametrize("name", RECURRENT)
def test_the_loss_is_the_mean_over_all_targets_but_ignored_ones(name: str, output: str) -> None:
    task, batch = make_task(name, {"output": output}), make_batch()
    targets = batch.targets
    targets[2, 4:] = IGNORED
    loss = task.training_step(batch)
    logits = task.network(batch.inputs)[0].log_softmax(2)
    own = [logits[row, place, targets[row, place]] for row in range(3) for place in range(4 if row == 2 else 7)]
    assert len(own) == 18
    assert loss.item() == pytest.approx(-torch.stack(own).mean().item(), rel=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_state_of_every_layer_is_carried_over_without_its_gradient(name: str) -> None:
    task, (inputs, targets, _) = make_task(name), make_batch()
    task.training_step(TokenBatch(inputs[:, :4], targets[:, :4], reset_state=True)).backward()
    second = task.training_step(TokenBatch(inputs[:, 4:], targets[:, 4:], reset_state=False))
    nats, _ = task.network.nats(inputs, targets)
    assert second.item() == pytest.approx(nats[:, 4:].mean().item(), rel=1e-5)
    states = [part for own in task.state for part in (own if isinstance(own, tuple) else (own,))]
    assert len(states) == (4 if name == "lstm" else 2)
    assert not any(state.requires_grad for state in states)
    second.backward()  # an error if it went through the first window again
    again = task.training_step(TokenBatch(inputs[:, 4:], targets[:, 4:], reset_state=True))
    assert again.item() == pytest.approx(task.network.nats(inputs[:, 4:], targets[:, 4:])[0].mean().item(), rel=1e-5)


def test_regularisation_by_hand() -> None:
    raw = torch.tensor([[[1.0, 2.0], [3.0, 2.0], [0.0, 2.0]]])
    outputs = torch.tensor([[[2.0, 0.0], [6.0, 0.0], [0.0, 4.0]]])
    assert regularisation(raw, outputs, 1.0, 0.0).item() == pytest.approx((4 + 36 + 16) / 6)
    assert regularisation(raw, outputs, 0.0, 1.0).item() == pytest.approx((4 + 9) / 4)
    assert regularisation(raw, outputs, 2.0, 3.0).item() == pytest.approx(2 * 56 / 6 + 3 * 13 / 4)


def test_a_window_of_one_token_has_no_differences() -> None:
    found = regularisation(torch.ones(2, 1, 3), torch.ones(2, 1, 3), 2.0, 3.0)
    assert found.item() == 2.0


@pytest.mark.parametrize("output", ["plain", "chunked", "grouped", "adaptive"])
@pytest.mark.parametrize("name", RECURRENT)
def test_regularisation_is_added_to_the_loss_but_not_to_its_metric(name: str, output: str) -> None:
    """Activations are penalised after dropout, their differences before it."""
    model = {"dropout": {"output": 0.5, "weight": 0.3}, "locked": True, "output": output}
    task = make_task(name, model, activation_regularisation=2.0, temporal_regularisation=1.0)
    plain = make_task(name, model)
    torch.manual_seed(4)
    loss = task.training_step(make_batch())
    torch.manual_seed(4)
    alone = plain.training_step(make_batch())
    assert float(task.metrics.sums["train_loss"]) == pytest.approx(float(plain.metrics.sums["train_loss"]), rel=1e-6)
    torch.manual_seed(4)
    raw, _ = task.network.forward_layers(task.network.embed(make_batch().inputs))
    penalty = regularisation(raw, task.network.drop_output(raw), 2.0, 1.0)
    assert loss.item() == pytest.approx((alone + penalty).item(), rel=1e-5)
    expected = [one + two for one, two in zip(gradients(plain, alone), penalised(task, penalty), strict=True)]
    for mine, other in zip(gradients(task, loss), expected, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)


def penalised(task: Task, penalty: Tensor) -> list[Tensor]:
    """The gradients of the penalty; 0 for the output layer, on which it does not depend."""
    found = torch.autograd.grad(penalty, [*task.network.parameters()], allow_unused=True)
    return [
        torch.zeros_like(parameter) if gradient is None else gradient
        for gradient, parameter in zip(found, task.network.parameters(), strict=True)
    ]


def test_validation_has_no_dropout_and_no_regularisation() -> None:
    model = {"dropout": {"output": 0.5, "embedding": 0.5, "weight": 0.5}}
    task = make_task("lstm", model, activation_regularisation=9.0, temporal_regularisation=9.0).eval()
    batch = make_batch()
    task.validation_step(batch)
    nats, _ = make_task().network.nats(*batch[:2])
    assert float(task.metrics.sums["validation_nll"]) == pytest.approx(nats.sum().item(), rel=1e-5)
    assert task.metrics.counts["validation_nll"] == 21


@pytest.mark.parametrize("key", ["activation_regularisation", "temporal_regularisation"])
def test_a_negative_regularisation_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        LanguageTrain(epochs=1, **{key: -1.0})


# The output bias that starts at the log frequencies of the tokens


def start(folder: Path, output_bias: str, scores: list[float]) -> Tensor:
    """The bias at the start of a training on the data in `folder`, after one epoch for each of `scores`."""
    torch.manual_seed(0)
    size = prepared.read_facts(folder, prepared.LanguageFacts).vocabulary_size
    network = language_model("lstm", size, output_bias=output_bias)
    task = Task(network, LanguageTrain(epochs=1), folder=folder, seed=1)
    task.scores = scores
    task.on_fit_start()
    return network.output.bias.detach()


def test_training_starts_at_the_log_frequencies_of_its_text(language_data: Path) -> None:
    tokens = prepared.load_array(language_data, "train")
    counts = np.bincount(tokens, minlength=prepared.read_facts(language_data).vocabulary_size).clip(min=1)
    assert start(language_data, "frequencies", []).tolist() == pytest.approx(np.log(counts / counts.sum()), rel=1e-6)
    assert not start(language_data, "zero", []).any()


def test_a_resumed_training_keeps_its_bias(language_data: Path) -> None:
    assert not start(language_data, "frequencies", [5.0]).any()


# Derived metrics


@pytest.mark.parametrize("nats", [5.0, 100.0, 1000.0, 1e30])
def test_the_perplexity_of_a_huge_loss_is_finite(nats: float) -> None:
    perplexity = torch.tensor(make_task().derived_metrics({"validation_nll": nats})["validation_perplexity"])
    assert torch.isfinite(perplexity)
    assert perplexity >= math.exp(5) * 0.999
