"""The steps of training and validation: which loss, of which targets, and what regularisation adds to it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.language.batches import IGNORED
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.language.training.task import Task, regularisation
from cvnlp.params.runs import LanguageTrain
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY = 11


def make_task(name: str = "lstm", model: dict[str, Any] | None = None, **train: Any) -> Task:
    torch.manual_seed(0)
    network = language_model(name, VOCABULARY, embedding_size=6, hidden_size=16, layers=2, **(model or {}))
    return Task(network, LanguageTrain(epochs=1, **train).model_dump())


def make_batch(fresh: bool = True, length: int = 7) -> tuple[Tensor, Tensor, bool]:
    tokens = torch.randint(0, VOCABULARY, (3, length + 1), generator=torch.Generator().manual_seed(1))
    return tokens[:, :-1], tokens[:, 1:].clone(), fresh


def gradients(task: Task, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [*task.network.parameters()]))


@pytest.mark.parametrize("output", ["plain", "chunked", "grouped", "adaptive"])
@pytest.mark.parametrize("name", RECURRENT)
def test_the_loss_is_the_mean_over_the_targets_that_there_are(name: str, output: str) -> None:
    task, (inputs, targets, fresh) = make_task(name, {"output": output}), make_batch()
    targets[2, 4:] = IGNORED
    loss = task.training_step((inputs, targets, fresh))
    logits = task.network(inputs)[0].log_softmax(2)
    own = [logits[row, place, targets[row, place]] for row in range(3) for place in range(4 if row == 2 else 7)]
    assert len(own) == 18
    assert loss.item() == pytest.approx(-torch.stack(own).mean().item(), rel=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_the_state_of_every_layer_is_carried_and_cut(name: str) -> None:
    task, (inputs, targets, _) = make_task(name), make_batch()
    task.training_step((inputs[:, :4], targets[:, :4], True))
    second = task.training_step((inputs[:, 4:], targets[:, 4:], False))
    nats, _ = task.network.nats(inputs, targets)
    assert second.item() == pytest.approx(nats[:, 4:].mean().item(), rel=1e-5)
    states = [part for own in task.state for part in (own if isinstance(own, tuple) else (own,))]
    assert len(states) == (4 if name == "lstm" else 2)
    assert not any(state.requires_grad for state in states)


def test_regularisation_by_hand() -> None:
    raw = torch.tensor([[[1.0, 2.0], [3.0, 2.0], [0.0, 2.0]]])
    outputs = torch.tensor([[[2.0, 0.0], [6.0, 0.0], [0.0, 4.0]]])
    assert regularisation(raw, outputs, 1.0, 0.0).item() == pytest.approx((4 + 36 + 16) / 6)
    assert regularisation(raw, outputs, 0.0, 1.0).item() == pytest.approx((4 + 9) / 4)
    assert regularisation(raw, outputs, 2.0, 3.0).item() == pytest.approx(2 * 56 / 6 + 3 * 13 / 4)


def test_a_window_of_one_has_no_steps() -> None:
    found = regularisation(torch.ones(2, 1, 3), torch.ones(2, 1, 3), 2.0, 3.0)
    assert found.item() == 2.0


@pytest.mark.parametrize("output", ["plain", "chunked", "grouped", "adaptive"])
@pytest.mark.parametrize("name", RECURRENT)
def test_regularisation_is_added_to_the_loss_and_reported_apart(name: str, output: str) -> None:
    """With dropout on: activations are penalised after it, their steps before it."""
    model = {"dropout": {"output": 0.5, "weight": 0.3}, "locked": True, "output": output}
    task = make_task(name, model, activation_regularisation=2.0, temporal_regularisation=1.0)
    plain = make_task(name, model)
    torch.manual_seed(4)
    loss = task.training_step(make_batch())
    torch.manual_seed(4)
    alone = plain.training_step(make_batch())
    assert float(task._sums["train_loss"]) == pytest.approx(float(plain._sums["train_loss"]), rel=1e-6)
    torch.manual_seed(4)
    raw, _ = task.network.read(task.network.embed(make_batch()[0]))
    penalty = regularisation(raw, task.network.drop_output(raw), 2.0, 1.0)
    assert loss.item() == pytest.approx((alone + penalty).item(), rel=1e-5)
    expected = [one + two for one, two in zip(gradients(plain, alone), penalised(task, penalty), strict=True)]
    for mine, other in zip(gradients(task, loss), expected, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)


def penalised(task: Task, penalty: Tensor) -> list[Tensor]:
    """The gradients of the penalty; 0 of the output layer, which it does not see."""
    found = torch.autograd.grad(penalty, [*task.network.parameters()], allow_unused=True)
    return [
        torch.zeros_like(parameter) if gradient is None else gradient
        for gradient, parameter in zip(found, task.network.parameters(), strict=True)
    ]


def test_validation_is_neither_dropped_nor_regularised() -> None:
    model = {"dropout": {"output": 0.5, "embedding": 0.5, "weight": 0.5}}
    task = make_task("lstm", model, activation_regularisation=9.0, temporal_regularisation=9.0).eval()
    batch = make_batch()
    task.validation_step(batch)
    nats, _ = make_task().network.nats(*batch[:2])
    assert float(task._sums["validation_nll"]) == pytest.approx(nats.sum().item(), rel=1e-5)
    assert task._counts["validation_nll"] == 21


@pytest.mark.parametrize("key", ["activation_regularisation", "temporal_regularisation"])
def test_a_negative_regularisation_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        LanguageTrain(epochs=1, **{key: -1.0})


# The output bias that begins at the words' frequencies


def begun(folder: Path, output_bias: str, scores: list[float]) -> Tensor:
    """The bias with which a training on the data in `folder` begins, after as many epochs as there are scores."""
    torch.manual_seed(0)
    network = language_model("lstm", prepared.read_facts(folder)["vocabulary_size"], output_bias=output_bias)
    task = Task(network, LanguageTrain(epochs=1).model_dump())
    task.scores = scores
    task.trainer = SimpleNamespace(datamodule=SimpleNamespace(folder=folder))
    task.on_fit_start()
    return network.output.bias.detach()


def test_training_begins_at_the_log_frequencies_of_its_text(language_data: Path) -> None:
    tokens = prepared.load_array(language_data, "train")
    size = prepared.read_facts(language_data)["vocabulary_size"]
    often = np.bincount(tokens, minlength=size).clip(min=1)
    assert begun(language_data, "frequencies", []).tolist() == pytest.approx(np.log(often / often.sum()), rel=1e-6)
    assert not begun(language_data, "zero", []).any()


def test_a_training_that_goes_on_keeps_its_bias(language_data: Path) -> None:
    assert not begun(language_data, "frequencies", [5.0]).any()
