"""Evaluation of a language model: every token is scored once, given all before it, and texts are generated."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.evaluation import evaluate
from cvnlp.language.evaluation.evaluate import PIECES
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.models.recurrent import Lstm
from cvnlp.launch.devices import device
from cvnlp.params.evaluation import Cache, DynamicEvaluation, LanguageEvaluate
from make_networks import language_model


def make_network(vocabulary: int) -> Lstm:
    torch.manual_seed(0)
    network = language_model("lstm", vocabulary, embedding_size=8, hidden_size=16, initial_range=0.8)
    return network.to(device()).eval()


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_evaluation_scores_every_token_of_the_test_text(
    kind: str, language_data: Path, words_data: Path, tmp_path: Path
) -> None:
    folder = {"characters": language_data, "words": words_data}[kind]
    facts = prepared.read_facts(folder, LanguageFacts)
    network = make_network(facts.vocabulary_size)
    options = LanguageEvaluate(samples=3, sample_tokens=25, temperature=0.7)
    found = evaluate(network, folder, facts, options, tmp_path)
    nats = text_nats(network, prepared.load_array(folder, "test"), facts.start)
    assert found["tokens"] == facts.counts["test"] == len(nats)
    assert found["nats_per_token"] == pytest.approx(nats.astype(np.float64).sum() / len(nats))
    assert found["perplexity"] == pytest.approx(math.exp(found["nats_per_token"]))
    assert found["unknown_share"] == (prepared.load_array(folder, "test") == 0).mean() > 0
    assert ("bits_per_character" in found) == (kind == "characters")
    saved = np.load(tmp_path / "nats.npy")
    assert saved.dtype == np.float32
    assert np.array_equal(saved, nats)


def test_test_sets_have_equal_digests_if_text_and_vocabulary_are_equal(
    language_data: Path, words_data: Path, tmp_path: Path
) -> None:
    digests = []
    for number, (folder, seed) in enumerate([(language_data, 0), (language_data, 1), (words_data, 0)]):
        torch.manual_seed(seed)
        facts = prepared.read_facts(folder, LanguageFacts)
        network = language_model("gru", facts.vocabulary_size, embedding_size=4, hidden_size=4).to(device()).eval()
        evaluate(network, folder, facts, LanguageEvaluate(samples=1, sample_tokens=2), tmp_path / str(number))
        digests.append(prepared.read_test_digest(tmp_path / str(number)))
    assert digests[0] == digests[1] != digests[2]
    assert files.read_json(tmp_path / "0/test_set.json")["examples"] == len(np.load(tmp_path / "0/nats.npy"))


def test_evaluation_writes_samples_of_the_given_number_and_length(language_data: Path, tmp_path: Path) -> None:
    facts = prepared.read_facts(language_data, LanguageFacts)
    network = make_network(facts.vocabulary_size)
    options = LanguageEvaluate(samples=3, sample_tokens=25, temperature=0.7)
    for name in ("one", "two"):
        evaluate(network, language_data, facts, options, tmp_path / name)
    samples = files.read_json(tmp_path / "one" / "samples.json")
    assert samples["temperature"] == 0.7
    assert [len(text) for text in samples["texts"]] == [25] * 3
    assert (tmp_path / "one" / "samples.json").read_bytes() == (tmp_path / "two" / "samples.json").read_bytes()


def test_adapted_scores_have_names_of_their_own(words_data: Path, tmp_path: Path) -> None:
    facts = prepared.read_facts(words_data, LanguageFacts)
    network = make_network(facts.vocabulary_size)
    options = LanguageEvaluate(samples=1, sample_tokens=5, temperature=0.7)
    static = evaluate(network, words_data, facts, options, tmp_path / "static")
    dynamic = DynamicEvaluation(lr=[0.0], decay=[0.1], window=50, statistics=100)
    cache = Cache(size=30, sharpness=[1.0], share=[0.2])
    options = options.model_copy(update={"dynamic": dynamic, "cache": cache})
    found = evaluate(network, words_data, facts, options, tmp_path / "adapted")
    assert {name: found[name] for name in static} == static
    assert set(found) - set(static) == {
        f"{score}_{method}" for score in ("nats_per_token", "perplexity") for method in ("dynamic", "cache")
    }
    assert found["perplexity_dynamic"] == pytest.approx(static["perplexity"], rel=1e-5)
    assert not (tmp_path / "static" / "adapted.json").exists()
    details = files.read_json(tmp_path / "adapted" / "adapted.json")
    assert details["tokens"] == static["tokens"]
    assert details["methods"]["cache"]["settings"] == {"size": 30, "sharpness": 1.0, "share": 0.2}
    assert details["methods"]["dynamic"]["saved"] == pytest.approx([0.0] * PIECES, abs=1e-4)
    saved = static["nats_per_token"] - found["nats_per_token_cache"]
    assert np.mean(details["methods"]["cache"]["saved"]) == pytest.approx(saved, abs=0.02)
