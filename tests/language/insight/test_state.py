"""The text that is read in columns, and what is counted of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.insight.state import begin_reading, save_losses
from cvnlp.networks import device
from make_networks import language_model


@pytest.mark.parametrize("tokens", [2, 3, 100, 700, 1500])
def test_columns_follow_each_other_and_each_token_is_the_target_of_one(language_data: Path, tokens: int) -> None:
    reading = begin_reading(language_data, prepared.read_facts(language_data, LanguageFacts), tokens)
    text = prepared.load_array(language_data, "validation")[:tokens]
    assert len(reading.places) % 2 == 0
    found = reading.targets.ravel()
    assert found.tolist() == text[: len(found)].tolist()
    assert len(text) - len(found) < len(reading.places)
    assert reading.inputs.ravel()[1:].tolist() == found[:-1].tolist()
    assert reading.inputs[0, 0] == prepared.read_facts(language_data, LanguageFacts).start


def test_the_start_of_a_column_is_read_and_not_counted(language_data: Path) -> None:
    reading = begin_reading(language_data, prepared.read_facts(language_data, LanguageFacts), 1500)
    values = np.arange(reading.places.size).reshape(reading.places.shape)
    assert 0 < reading.settling <= 32
    assert reading.counted(values).tolist() == values[:, reading.settling :].tolist()


@pytest.mark.parametrize("name", ["rnn", "lstm", "ngram"])
def test_costs_are_those_of_columns_read_from_a_fresh_state(language_data: Path, tmp_path: Path, name: str) -> None:
    facts = prepared.read_facts(language_data, LanguageFacts)
    torch.manual_seed(0)
    options = {} if name == "ngram" else {"initial_range": 0.8}
    network = language_model(name, facts.vocabulary_size, **options).to(device()).eval()
    reading = begin_reading(language_data, facts, 1500)
    scores = save_losses(network, reading, language_data, tmp_path)
    inputs, targets = (torch.from_numpy(side).to(device()) for side in (reading.inputs, reading.targets))
    with torch.no_grad():
        nats = network.nats(inputs, targets)[0][:, reading.settling :].cpu().double().numpy().ravel()
    at_starts = (reading.inputs == facts.start)[:, reading.settling :].ravel()
    assert scores["nats_position_1"] == pytest.approx(nats[at_starts].mean(), rel=1e-4)
