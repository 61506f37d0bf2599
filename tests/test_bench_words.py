"""The recipe that word models are compared with: its step is plain SGD, and both are scored by the same function."""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bench import word_pipeline, word_recipe, words
from torch.nn import functional

from cvnlp.data import prepared
from cvnlp.language.models.recurrent import Lstm
from cvnlp.params.network_config import TextFormat

WORDS = 11


def make_model(monkeypatch: pytest.MonkeyPatch, dropout: float = 0.0) -> Any:
    monkeypatch.setattr(word_recipe, "DROPOUT", dropout)
    torch.manual_seed(0)
    return word_recipe.Model(WORDS, size=6)


def make_text(length: int = 41) -> np.ndarray:
    return np.random.default_rng(1).integers(0, WORDS, length).astype(np.uint16)


def test_columns_hold_consecutive_tokens_without_the_remainder() -> None:
    data = word_recipe.in_columns(np.arange(11), 3)
    assert data.tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    ((inputs, targets),) = word_recipe.windows(data)
    assert inputs.tolist() == [[0, 3, 6], [1, 4, 7]]
    assert targets.tolist() == [1, 4, 7, 2, 5, 8]


@pytest.mark.parametrize("clip", [0.01, 1e9])
def test_a_step_follows_the_clipped_gradient_of_the_mean(clip: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_recipe, "CLIP", clip)
    model = make_model(monkeypatch)
    inputs, targets = next(word_recipe.windows(word_recipe.in_columns(make_text(), 4)))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    outputs, _ = model.rnn(model.encoder(inputs))
    loss = functional.cross_entropy(model.decoder(outputs).flatten(0, 1), targets)
    gradients = torch.autograd.grad(loss, [*model.parameters()])
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    word_recipe.step(model, inputs, targets, model.first_state(4), 2.0)
    for parameter, old, gradient in zip(model.parameters(), before, gradients, strict=True):
        assert torch.allclose(parameter, old - 2.0 * min(1.0, clip / norm) * gradient, atol=1e-6)


def test_the_learning_rate_is_divided_by_four_after_an_epoch_that_is_not_the_best(
    language_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, 2.0, 2.5, 1.0])
    monkeypatch.setattr(word_recipe, "validate", lambda *_: next(losses))
    training = word_recipe.Training(language_data)
    rates = []
    for _ in range(4):
        training._end_epoch()
        rates.append(training.rate)
    assert rates == [20.0, 20.0, 5.0, 5.0]


def test_an_epoch_has_every_target_and_the_next_starts_again(
    language_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(word_recipe, "step", lambda model, inputs, targets, state, rate: seen.append(targets))
    monkeypatch.setattr(word_recipe, "validate", lambda *_: 1.0)
    training = word_recipe.Training(language_data)
    count = len([*word_recipe.windows(training.train)])
    for _ in range(count + 1):
        training.advance()
    assert training.tokens - len(seen[-1]) == (len(training.train) - 1) * word_recipe.COLUMNS
    assert torch.equal(seen[count], seen[0])


def test_the_converted_model_has_the_outputs_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout in its layers: no score has any."""
    model = make_model(monkeypatch, dropout=0.5).eval()
    network = words.as_network(model.state_dict())
    tokens = torch.from_numpy(make_text().astype(np.int64)).view(1, -1)
    found, _ = network(tokens)
    expected, _ = model(tokens.t(), model.first_state(1))
    assert torch.allclose(found[0].log_softmax(1), expected, atol=1e-6)


def test_perplexity_includes_every_validation_token(language_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, facts = (
        prepared.load_array(language_data, "validation"),
        prepared.read_facts(language_data, prepared.LanguageFacts),
    )
    torch.manual_seed(0)
    model = word_recipe.Model(facts.vocabulary_size, size=6).eval()
    read = torch.from_numpy(np.concatenate(([facts.start], tokens[:-1])).astype(np.int64))[:, None]
    nats = functional.nll_loss(model(read, model.first_state(1))[0], torch.from_numpy(tokens.astype(np.int64)))
    found = words.perplexity(words.as_network(model.state_dict()), language_data)
    assert found == pytest.approx(math.exp(nats.item()), rel=1e-4)


def test_the_same_network_has_the_recipe_s_weights() -> None:
    ours = Lstm(TextFormat(vocabulary_size=WORDS), word_pipeline.MODELS["same"])
    recipe = words.as_network(word_recipe.Model(WORDS).state_dict())
    shapes = {name: tensor.shape for name, tensor in recipe.state_dict().items()}
    assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == shapes
    assert {*ours.dropout.model_dump().values()} == {0.0, word_recipe.DROPOUT}


def test_a_round_starts_on_request_and_its_seconds_are_printed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(sys.stdin, "readline", lambda: asked.append(len(seen)) or "\n", raising=False)
    monkeypatch.setattr(sys, "__stdout__", sys.stdout)
    seen: list[int] = []
    for number in word_pipeline.Rounds(list(range(7)), 3):
        seen.append(number)
    assert seen == list(range(7))
    assert asked == [0, 3]
    assert len(capfd.readouterr().out.split()) == 2


def test_rounds_of_all_three_take_turns(words_data: Path) -> None:
    found = words.speeds(words_data, 2, windows=1)
    assert {*found} == {"recipe", "same", "own"}
    assert all(len(speeds) == 2 and min(speeds) > 0 for speeds in found.values())


def test_the_speed_of_our_settings_is_measured(words_data: Path) -> None:
    assert words.own_speed(words_data, windows=1) > 0


def test_both_are_trained_for_equal_seconds_and_scored(words_data: Path) -> None:
    mine, other, seconds = words.train_for(words_data, 0.1, speed=10_000)
    assert mine > 1 and other > 1 and seconds > 0
