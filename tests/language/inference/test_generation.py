"""Sampling distributions against hand-computed ones, and generated texts against reading the whole text anew."""

import math
from typing import Any

import pytest
import torch

from cvnlp.language.inference.generation import Sampling, generate, sampling_distribution, stream
from cvnlp.language.inference.predict import next_token_logits
from cvnlp.language.models import MODELS, Network, Ngram
from cvnlp.launch.devices import device
from make_networks import language_model

VOCABULARY, START = 11, 3
NAMES = sorted(MODELS)
SHARES = [0.1, 0.4, 0.3, 0.15, 0.05]  # of token 0, the unknown one, to 4


def make_network(name: str = "lstm") -> Network:
    torch.manual_seed(0)
    options = {} if issubclass(MODELS[name], Ngram) else {"embedding_size": 8, "hidden_size": 16, "initial_range": 0.8}
    network = language_model(name, VOCABULARY, **options)
    if isinstance(network, Ngram):
        text = torch.randint(0, VOCABULARY, (1, 301))
        network.learn(text[:, :-1], text[:, 1:], epoch=0)
    return network.to(device()).eval()


def probabilities_with(**options: Any) -> list[float]:
    return sampling_distribution(torch.tensor([SHARES]).log(), Sampling(**options))[0].tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 4 / 9, 3 / 9, 1.5 / 9, 0.5 / 9]),
        ({"unknown": True}, SHARES),
        (
            {"unknown": True, "temperature": 0.5},
            [0.01 / 0.285, 0.16 / 0.285, 0.09 / 0.285, 0.0225 / 0.285, 0.0025 / 0.285],
        ),
        ({"temperature": 0}, [0, 1, 0, 0, 0]),
        ({"top_k": 1}, [0, 1, 0, 0, 0]),
        ({"top_k": 2}, [0, 4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 99}, [0, 4 / 9, 3 / 9, 1.5 / 9, 0.5 / 9]),
        ({"unknown": True, "top_p": 0.39}, [0, 1, 0, 0, 0]),
        ({"unknown": True, "top_p": 0.41}, [0, 4 / 7, 3 / 7, 0, 0]),
        ({"unknown": True, "top_p": 0.8}, [0, 0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0]),
        ({"unknown": True, "top_p": 1}, SHARES),
        ({"top_k": 2, "top_p": 0.5}, [0, 1, 0, 0, 0]),  # 4 / 7 of the two that are left
        ({"top_k": 2, "top_p": 0.6}, [0, 4 / 7, 3 / 7, 0, 0]),
        ({"temperature": 2, "top_k": 2}, [0, 2 / (2 + math.sqrt(3)), math.sqrt(3) / (2 + math.sqrt(3)), 0, 0]),
    ],
    ids=str,
)
def test_sampling_distribution_equals_the_hand_computed_one(options: dict[str, Any], expected: list[float]) -> None:
    assert probabilities_with(**options) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("options", [{"top_k": 2}, {"top_p": 0.5}, {"temperature": 0, "unknown": True}])
def test_of_equally_likely_tokens_the_first_are_kept(options: dict[str, Any]) -> None:
    likely = sampling_distribution(torch.zeros(1, 5), Sampling(**options))[0]
    kept = {"top_k": [1, 2], "top_p": [1, 2], "temperature": [0]}[next(iter(options))]
    assert likely.nonzero()[:, 0].tolist() == kept


def test_logits_are_not_changed() -> None:
    logits = torch.tensor([SHARES])
    sampling_distribution(logits, Sampling(top_k=2, top_p=0.5))
    assert torch.equal(logits, torch.tensor([SHARES]))


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -0.1},
        {"temperature": math.inf},
        {"temperature": math.nan},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
    ],
    ids=str,
)
def test_value_out_of_range_is_refused(options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}: {value:g} must be"):
        Sampling(**options)


def generated(
    network: Network, seed: int = 1, tokens: int = 60, prompt: Any = (), count: int = 4, **options: Any
) -> Any:
    sampling = Sampling(**options)
    return generate(network, START, count=count, tokens=tokens, sampling=sampling, seed=seed, prompt=prompt)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_token_is_generated_only_if_allowed(name: str) -> None:
    network = make_network(name)
    text = generated(network, tokens=200)
    assert text.shape == (4, 200) and text.dtype == torch.int64
    assert text.min() >= 1 and text.max() < VOCABULARY
    assert (generated(network, tokens=200, unknown=True) == 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_seed_determines_the_text(name: str) -> None:
    network = make_network(name)
    first = generated(network)
    torch.manual_seed(99)
    assert torch.equal(first, generated(network))
    assert not torch.equal(first, generated(network, seed=2))
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("prompt", [(), (5,), (1, 2, 0, 4, 5)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_temperature_0_takes_the_most_likely_token(name: str, prompt: tuple[int, ...]) -> None:
    network = make_network(name)
    text = [START, *prompt]
    for _ in range(20):
        with torch.no_grad():
            logits = network(torch.tensor([text], device=device()))[0][0, -1]
        text.append(1 + int(logits[1:].argmax()))
    assert generated(network, temperature=0, tokens=20, prompt=prompt).tolist() == [text[len(prompt) + 1 :]] * 4


@pytest.mark.parametrize("window", [1, 2, 5, 6, 512])
@pytest.mark.parametrize("name", NAMES)
def test_window_does_not_change_the_next_token_logits(name: str, window: int) -> None:
    network, prompt = make_network(name), torch.tensor([[1, 2, 3, 4, 5, 6], [0, 6, 5, 4, 3, 2]], device=device())
    with torch.no_grad():
        expected = network(prompt)[0][:, -1]
    logits, _ = next_token_logits(network, prompt, window=window)
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("name", NAMES)
def test_generated_text_and_the_same_prompt_are_continued_alike(name: str) -> None:
    network = make_network(name)
    text = generated(network, temperature=0, tokens=30, count=1)[0].tolist()
    assert generated(network, temperature=0, tokens=18, count=1, prompt=text[:12])[0].tolist() == text[12:]


def test_stream_reads_and_draws_token_by_token() -> None:
    network, read = make_network(), []
    network.embedding.register_forward_hook(lambda _, inputs, __: read.append(inputs[0].shape[1]))
    steps = stream(network, START, tokens=3, sampling=Sampling(), seed=1, prompt=[1, 2])
    assert read == []
    for expected in ([3], [3, 1], [3, 1, 1]):
        assert next(steps).shape == (1,)
        assert read == expected
    assert next(steps, None) is None
    assert read == [3, 1, 1]  # the last token is drawn and not read


def test_stream_equals_generate_and_leaves_gradients_enabled() -> None:
    network = make_network()
    steps = []
    for ids in stream(network, START, tokens=9, sampling=Sampling(), seed=5):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        steps.append(int(ids))
    assert steps == generated(network, seed=5, tokens=9, count=1)[0].tolist()
