"""The task of remembering one symbol, and that a network which can is told from one which cannot."""

import pytest
import torch

from cvnlp.language.insight.recall import ASKED, LEARNING_RATES, NOISE, QUESTION, SYMBOLS, TRAINED, make_texts, recall
from cvnlp.language.models import MODELS, Recurrent

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))


def test_a_text_is_noise_with_one_symbol_and_the_question() -> None:
    distances = torch.randint(1, 21, (500,), generator=torch.Generator().manual_seed(0))
    texts, answers = make_texts(distances, 20, torch.Generator().manual_seed(1))
    texts, answers = texts.cpu(), answers.cpu()
    assert texts.shape == (500, 21)
    assert (texts[:, -1] == QUESTION).all() and (texts[:, :-1] < QUESTION).all()
    symbols = texts < SYMBOLS
    assert (symbols.sum(1) == 1).all()
    assert torch.equal(20 - symbols.long().argmax(1), distances)
    assert torch.equal(texts[symbols], answers[:, 0])
    assert set(answers.unique().tolist()) == set(range(SYMBOLS))
    assert set(texts[~symbols].unique().tolist()) == {*range(SYMBOLS, SYMBOLS + NOISE), QUESTION}


@pytest.mark.parametrize("name", RECURRENT)
def test_every_kind_of_cell_has_a_learning_rate_and_is_asked_at_every_distance(name: str) -> None:
    assert MODELS[name].cell in LEARNING_RATES
    table = recall(MODELS[name], steps=1)
    assert tuple(table["steps_back"]) == ASKED
    assert table["accuracy"].between(0, 0.4).all()
    assert (table["trained"] == TRAINED).all() and (table["chance"] == 1 / SYMBOLS).all()


def test_the_lstm_remembers_what_the_plain_network_has_forgotten() -> None:
    """After 400 steps with any instructions (ATEN_CPU_CAPABILITY); of 200 how a processor rounds decides."""
    accuracy = {name: recall(MODELS[name], steps=400).set_index("steps_back")["accuracy"] for name in ("rnn", "lstm")}
    assert accuracy["lstm"][20] > 0.8
    assert accuracy["rnn"][20] < 0.5


def test_the_experiment_is_the_same_each_time_and_disturbs_no_other_chance() -> None:
    torch.manual_seed(5)
    first = recall(MODELS["lstm"], steps=5)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    assert recall(MODELS["lstm"], steps=5).equals(first)
