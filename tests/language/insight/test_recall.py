"""The recall task: its sequences, and that it tells an LSTM from an Elman RNN."""

import pytest
import torch

from cvnlp.language.insight.recall import (
    LEARNING_RATES,
    NOISE,
    QUERY,
    SEEDS,
    SYMBOLS,
    TESTED_STEPS,
    TRAINED_STEPS,
    make_sequences,
    recall,
)
from cvnlp.language.models import MODELS, Recurrent

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))


def test_sequence_is_noise_with_one_symbol_and_the_query() -> None:
    distances = torch.randint(1, 21, (500,), generator=torch.Generator().manual_seed(0))
    sequences, answers = make_sequences(distances, 20, torch.Generator().manual_seed(1))
    sequences, answers = sequences.cpu(), answers.cpu()
    assert sequences.shape == (500, 21)
    assert (sequences[:, -1] == QUERY).all() and (sequences[:, :-1] < QUERY).all()
    symbols = sequences < SYMBOLS
    assert (symbols.sum(1) == 1).all()
    assert torch.equal(20 - symbols.long().argmax(1), distances)
    assert torch.equal(sequences[symbols], answers[:, 0])
    assert set(answers.unique().tolist()) == set(range(SYMBOLS))
    assert set(sequences[~symbols].unique().tolist()) == {*range(SYMBOLS, SYMBOLS + NOISE), QUERY}


@pytest.mark.parametrize("name", RECURRENT)
def test_every_kind_of_cell_is_trained_and_tested_at_every_distance(name: str) -> None:
    assert MODELS[name].cell in LEARNING_RATES
    table = recall(MODELS[name], steps=1)
    assert tuple(table["steps_back"]) == TESTED_STEPS
    assert table["accuracy"].between(0, 0.4).all() and (table["std"] > 0).any()
    assert (table["seeds"] == len(SEEDS)).all() and (table["most_steps"] == 1).all() and not table["converged"].any()
    assert (table["trained"] == TRAINED_STEPS).all() and (table["chance"] == 1 / SYMBOLS).all()


def test_training_ends_when_the_task_is_learned() -> None:
    table = recall(MODELS["gru"], steps=2000)
    assert (table["converged"] == len(SEEDS)).all() and (table["most_steps"] < 1000).all()
    assert table.set_index("steps_back")["accuracy"][TRAINED_STEPS] > 0.9


def test_lstm_learns_in_fewer_steps_than_the_elman_rnn() -> None:
    """Of 400, with any processor instructions (ATEN_CPU_CAPABILITY)."""
    accuracy = {name: recall(MODELS[name], steps=400).set_index("steps_back")["accuracy"] for name in ("rnn", "lstm")}
    assert accuracy["lstm"][20] > 0.8
    assert accuracy["rnn"][20] < 0.5


def test_recall_is_deterministic_and_leaves_the_global_random_state_unchanged() -> None:
    torch.manual_seed(5)
    first = recall(MODELS["lstm"], steps=5)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    assert recall(MODELS["lstm"], steps=5).equals(first)
