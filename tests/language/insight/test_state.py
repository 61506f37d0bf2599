"""Columns of the validation text, and the mean losses by position and frequency."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.insight.state import choose_columns, save_losses
from cvnlp.launch.devices import device
from make_networks import language_model


@pytest.mark.parametrize("tokens", [2, 3, 100, 700, 1500])
def test_columns_continue_each_other_and_every_token_is_a_target_once(language_data: Path, tokens: int) -> None:
    columns = choose_columns(language_data, prepared.read_facts(language_data, LanguageFacts), tokens)
    text = prepared.load_array(language_data, "validation")[:tokens]
    assert len(columns.places) % 2 == 0
    found = columns.targets.ravel()
    assert found.tolist() == text[: len(found)].tolist()
    assert len(text) - len(found) < len(columns.places)
    assert columns.inputs.ravel()[1:].tolist() == found[:-1].tolist()
    assert columns.inputs[0, 0] == prepared.read_facts(language_data, LanguageFacts).start


def test_burn_in_is_not_counted(language_data: Path) -> None:
    columns = choose_columns(language_data, prepared.read_facts(language_data, LanguageFacts), 1500)
    values = np.arange(columns.places.size).reshape(columns.places.shape)
    assert 0 < columns.burn_in <= 32
    assert columns.after_burn_in(values).tolist() == values[:, columns.burn_in :].tolist()


@pytest.mark.parametrize("name", ["rnn", "lstm", "ngram"])
def test_losses_are_those_of_columns_read_from_a_zero_state(language_data: Path, tmp_path: Path, name: str) -> None:
    facts = prepared.read_facts(language_data, LanguageFacts)
    torch.manual_seed(0)
    options = {} if name == "ngram" else {"initial_range": 0.8}
    network = language_model(name, facts.vocabulary_size, **options).to(device()).eval()
    columns = choose_columns(language_data, facts, 1500)
    scores = save_losses(network, columns, language_data, tmp_path)
    inputs, targets = (torch.from_numpy(side).to(device()) for side in (columns.inputs, columns.targets))
    with torch.no_grad():
        nats = network.nats(inputs, targets)[0][:, columns.burn_in :].cpu().double().numpy().ravel()
    at_starts = (columns.inputs == facts.start)[:, columns.burn_in :].ravel()
    assert scores["nats_position_1"] == pytest.approx(nats[at_starts].mean(), rel=1e-4)
