"""Evaluation of a language model: every token scored once given all before it, and what the model writes."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvnlp import files, prepared
from cvnlp.language import evaluation
from cvnlp.language.batches import IGNORED
from cvnlp.language.data.tokens import TOKENISERS
from cvnlp.language.data.vocabulary import build_vocabulary
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.networks import device

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY, START = 11, 3


def make_network(name: str = "lstm", vocabulary: int = VOCABULARY) -> Recurrent:
    torch.manual_seed(0)
    network = MODELS[name](vocabulary, embedding_size=8, hidden_size=16, initial_range=0.8)
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
@pytest.mark.parametrize("name", RECURRENT)
def test_the_window_changes_no_score(name: str, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "WINDOW", window)
    network, tokens = make_network(name), make_tokens()
    nats = evaluation.token_nats(network, tokens, START)
    assert nats.shape == (100,) and nats.dtype == np.float32
    assert nats == pytest.approx(at_once(network, tokens), abs=1e-5)


@pytest.mark.parametrize("columns", [2, 3, 7])
def test_columns_forget_at_their_borders_alone(columns: int) -> None:
    network, tokens = make_network(), make_tokens()
    nats = evaluation.token_nats(network, tokens, START, columns=columns)
    length = -(-len(tokens) // columns)
    assert nats.shape == (100,)
    assert nats[:length] == pytest.approx(at_once(network, tokens)[:length], abs=1e-5)
    assert nats[length] != pytest.approx(at_once(network, tokens)[length], abs=1e-5)


def test_cross_entropy_leaves_out_what_is_ignored() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    nats = evaluation.cross_entropy(logits, torch.tensor([[0, 1, IGNORED], [4, IGNORED, 2]]))
    assert nats.shape == (2, 3)
    assert nats[0, 2] == nats[1, 1] == 0
    assert nats[0, 1].item() == pytest.approx(-logits[0, 1].log_softmax(0)[1].item(), rel=1e-5)
    assert nats[1, 2].item() == pytest.approx(-logits[1, 2].log_softmax(0)[2].item(), rel=1e-5)


def write(network: Recurrent, seed: int = 1, temperature: float = 1.0, tokens: int = 60) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return evaluation.generate(network, START, count=4, tokens=tokens, temperature=temperature, generator=generator)


@pytest.mark.parametrize("name", RECURRENT)
def test_what_is_written_is_of_known_tokens(name: str) -> None:
    network = make_network(name)
    with torch.no_grad():
        network.output.bias[1:] -= 1e4  # a model that would write nothing but the unknown token
    written = write(network)
    assert written.shape == (4, 60) and written.dtype == torch.int64
    assert written.min() >= 1 and written.max() < VOCABULARY


def test_the_generator_decides_what_is_written() -> None:
    network = make_network()
    first = write(network)
    torch.manual_seed(99)
    assert torch.equal(first, write(network))
    assert not torch.equal(first, write(network, seed=2))
    assert not torch.equal(first[0], first[1])


def test_a_cold_model_writes_the_likeliest_token() -> None:
    network = make_network()
    written = write(network, temperature=1e-4, tokens=20)
    expected = []
    text = [START]
    for _ in range(20):
        with torch.no_grad():
            logits = network(torch.tensor([text], device=device()))[0][0, -1]
        text.append(1 + int(logits[1:].argmax()))
        expected.append(text[-1])
    assert written.tolist() == [expected] * 4


@pytest.mark.parametrize("kind", sorted(TOKENISERS))
def test_tokens_become_the_text_that_they_were(kind: str) -> None:
    tokeniser = TOKENISERS[kind]
    tokens = list(tokeniser.split("HAMLET:\nTo be, or not to be:\n\n'Tis well-known; that's it!\n"))
    vocabulary = build_vocabulary(Counter(tokens), tokeniser.line_end)
    facts = {"token_kind": tokeniser.token_kind, "start": vocabulary.index(tokeniser.line_end)}
    text = evaluation.as_text([vocabulary.index(token) for token in tokens], vocabulary, facts)
    assert list(tokeniser.split(text)) == tokens


def test_lines_of_words_have_no_space_at_their_ends() -> None:
    vocabulary = ["<unk>", "to", "be", "<eos>"]
    assert evaluation.as_text([1, 2, 3, 2, 1, 3], vocabulary, {"token_kind": "words", "start": 3}) == "to be\nbe to\n"


def test_an_unknown_character_is_one_character() -> None:
    assert (
        evaluation.as_text([1, 0, 2], ["<unk>", "a", "b"], {"token_kind": "characters", "start": 1})
        == "a\N{REPLACEMENT CHARACTER}b"
    )


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_evaluation_scores_every_token_of_the_test_text(
    kind: str, language_data: Path, words_data: Path, tmp_path: Path
) -> None:
    folder = {"characters": language_data, "words": words_data}[kind]
    facts = prepared.facts(folder)
    network = make_network(vocabulary=facts["vocabulary_size"])
    options = {"samples": 3, "sample_tokens": 25, "temperature": 0.7}
    found = evaluation.evaluate(network, folder, facts, options, tmp_path)
    nats = evaluation.token_nats(network, prepared.load_array(folder, "test"), facts["start"])
    assert found["tokens"] == facts["counts"]["test"] == len(nats)
    assert found["nats_per_token"] == pytest.approx(nats.astype(np.float64).sum() / len(nats))
    assert found["perplexity"] == pytest.approx(math.exp(found["nats_per_token"]))
    assert found["unknown_share"] == (prepared.load_array(folder, "test") == 0).mean() > 0
    assert ("bits_per_character" in found) == (kind == "characters")


def test_evaluation_writes_the_samples_asked_for(language_data: Path, tmp_path: Path) -> None:
    facts = prepared.facts(language_data)
    network = make_network(vocabulary=facts["vocabulary_size"])
    options = {"samples": 3, "sample_tokens": 25, "temperature": 0.7}
    for name in ("one", "two"):
        evaluation.evaluate(network, language_data, facts, options, tmp_path / name)
    samples = files.read_json(tmp_path / "one" / "samples.json")
    assert samples["temperature"] == 0.7
    assert [len(text) for text in samples["texts"]] == [25] * 3
    assert (tmp_path / "one" / "samples.json").read_bytes() == (tmp_path / "two" / "samples.json").read_bytes()
