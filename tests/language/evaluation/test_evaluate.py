"""Evaluation of a language model: every token scored once given all before it, and what the model writes."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.language.evaluation import evaluate
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.networks import device
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY, START = 11, 3


def make_network(name: str = "lstm", vocabulary: int = VOCABULARY, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    network = language_model(name, vocabulary, embedding_size=8, hidden_size=16, initial_range=0.8, **options)
    return network.to(device()).eval()


def make_tokens(length: int = 100) -> np.ndarray:
    return np.random.default_rng(1).integers(0, VOCABULARY, length).astype(np.uint16)


@torch.no_grad()
def at_once(network: Recurrent, tokens: np.ndarray) -> np.ndarray:
    """Nats of every token when the whole text is read in one step."""
    targets = torch.from_numpy(tokens.astype(np.int64))
    inputs = torch.cat([torch.tensor([START]), targets[:-1]])
    logits, _ = network(inputs[None].to(device()))
    return F.cross_entropy(logits[0].cpu(), targets, reduction="none").numpy()


@pytest.mark.parametrize("window", [1, 3, 7, 99, 100, 101, 1000])
@pytest.mark.parametrize("output", ["plain", "chunked", "grouped", "adaptive"])
@pytest.mark.parametrize("name", RECURRENT)
def test_the_window_changes_no_score(name: str, output: str, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "WINDOW", window)
    network, tokens = make_network(name, output=output), make_tokens()
    nats = evaluate.token_nats(network, tokens, START)
    assert nats.shape == (100,) and nats.dtype == np.float32
    assert nats == pytest.approx(at_once(network, tokens), abs=1e-5)


@pytest.mark.parametrize("columns", [2, 3, 7])
def test_columns_forget_at_their_borders_alone(columns: int) -> None:
    network, tokens = make_network(), make_tokens()
    nats = evaluate.token_nats(network, tokens, START, columns=columns)
    length = -(-len(tokens) // columns)
    assert nats.shape == (100,)
    assert nats[:length] == pytest.approx(at_once(network, tokens)[:length], abs=1e-5)
    assert nats[length] != pytest.approx(at_once(network, tokens)[length], abs=1e-5)


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_evaluation_scores_every_token_of_the_test_text(
    kind: str, language_data: Path, words_data: Path, tmp_path: Path
) -> None:
    folder = {"characters": language_data, "words": words_data}[kind]
    facts = prepared.read_facts(folder)
    network = make_network(vocabulary=facts["vocabulary_size"])
    options = {"samples": 3, "sample_tokens": 25, "temperature": 0.7, "dynamic": None, "cache": None}
    found = evaluate.evaluate(network, folder, facts, options, tmp_path)
    nats = evaluate.token_nats(network, prepared.load_array(folder, "test"), facts["start"])
    assert found["tokens"] == facts["counts"]["test"] == len(nats)
    assert found["nats_per_token"] == pytest.approx(nats.astype(np.float64).sum() / len(nats))
    assert found["perplexity"] == pytest.approx(math.exp(found["nats_per_token"]))
    assert found["unknown_share"] == (prepared.load_array(folder, "test") == 0).mean() > 0
    assert ("bits_per_character" in found) == (kind == "characters")


def test_evaluation_writes_the_samples_asked_for(language_data: Path, tmp_path: Path) -> None:
    facts = prepared.read_facts(language_data)
    network = make_network(vocabulary=facts["vocabulary_size"])
    options = {"samples": 3, "sample_tokens": 25, "temperature": 0.7, "dynamic": None, "cache": None}
    for name in ("one", "two"):
        evaluate.evaluate(network, language_data, facts, options, tmp_path / name)
    samples = files.read_json(tmp_path / "one" / "samples.json")
    assert samples["temperature"] == 0.7
    assert [len(text) for text in samples["texts"]] == [25] * 3
    assert (tmp_path / "one" / "samples.json").read_bytes() == (tmp_path / "two" / "samples.json").read_bytes()


def test_what_adapts_is_scored_apart(words_data: Path, tmp_path: Path) -> None:
    facts = prepared.read_facts(words_data)
    network = make_network(vocabulary=facts["vocabulary_size"])
    options = {"samples": 1, "sample_tokens": 5, "temperature": 0.7, "dynamic": None, "cache": None}
    static = evaluate.evaluate(network, words_data, facts, options, tmp_path / "static")
    options["dynamic"] = {"lr": [0.0], "decay": [0.1], "window": 50, "statistics": 100}
    options["cache"] = {"size": 30, "flatness": [1.0], "share": [0.2]}
    found = evaluate.evaluate(network, words_data, facts, options, tmp_path / "adapted")
    assert {name: found[name] for name in static} == static
    assert set(found) - set(static) == {
        f"{score}_{method}" for score in ("nats_per_token", "perplexity") for method in ("dynamic", "cache")
    }
    assert found["perplexity_dynamic"] == pytest.approx(static["perplexity"], rel=1e-5)
    assert not (tmp_path / "static" / "adapted.json").exists()
    told = files.read_json(tmp_path / "adapted" / "adapted.json")
    assert told["tokens"] == static["tokens"]
    assert told["methods"]["cache"]["settings"] == {"size": 30, "flatness": 1.0, "share": 0.2}
    assert told["methods"]["dynamic"]["saved"] == pytest.approx([0.0] * evaluate.PIECES, abs=1e-4)
    saved = static["nats_per_token"] - found["nats_per_token_cache"]
    assert np.mean(told["methods"]["cache"]["saved"]) == pytest.approx(saved, abs=0.02)
