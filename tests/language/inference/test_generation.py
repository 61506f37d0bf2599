"""What is drawn, against numbers worked out by hand; what is written, against reading the whole text anew."""

import math
from typing import Any

import pytest
import torch

from cvnlp.language.inference import generation
from cvnlp.language.inference.generation import Sampling, distribution, generate, stream
from cvnlp.language.models import MODELS, Network, Ngram
from cvnlp.networks import device
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


def drawn_with(**options: Any) -> list[float]:
    return distribution(torch.tensor([SHARES]).log(), Sampling(**options))[0].tolist()


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
def test_what_is_drawn_is_worked_out_by_hand(options: dict[str, Any], expected: list[float]) -> None:
    assert drawn_with(**options) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("options", [{"top_k": 2}, {"top_p": 0.5}, {"temperature": 0, "unknown": True}])
def test_of_equal_tokens_the_first_are_kept(options: dict[str, Any]) -> None:
    likely = distribution(torch.zeros(1, 5), Sampling(**options))[0]
    kept = {"top_k": [1, 2], "top_p": [1, 2], "temperature": [0]}[next(iter(options))]
    assert likely.nonzero()[:, 0].tolist() == kept


def test_logits_are_left_as_they_were() -> None:
    logits = torch.tensor([SHARES])
    distribution(logits, Sampling(top_k=2, top_p=0.5))
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
def test_what_is_out_of_range_is_refused(options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}: {value:g} "):
        Sampling(**options)


def write(network: Network, seed: int = 1, tokens: int = 60, prompt: Any = (), count: int = 4, **options: Any) -> Any:
    sampling = Sampling(**options)
    return generate(network, START, count=count, tokens=tokens, sampling=sampling, seed=seed, prompt=prompt)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_of_known_tokens_unless_asked_for(name: str) -> None:
    network = make_network(name)
    written = write(network, tokens=200)
    assert written.shape == (4, 200) and written.dtype == torch.int64
    assert written.min() >= 1 and written.max() < VOCABULARY
    assert (write(network, tokens=200, unknown=True) == 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_what_is_written(name: str) -> None:
    network = make_network(name)
    first = write(network)
    torch.manual_seed(99)
    assert torch.equal(first, write(network))
    assert not torch.equal(first, write(network, seed=2))
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("prompt", [(), (5,), (1, 2, 0, 4, 5)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_without_temperature_the_likeliest_token_follows(name: str, prompt: tuple[int, ...]) -> None:
    network = make_network(name)
    text = [START, *prompt]
    for _ in range(20):
        with torch.no_grad():
            logits = network(torch.tensor([text], device=device()))[0][0, -1]
        text.append(1 + int(logits[1:].argmax()))
    assert write(network, temperature=0, tokens=20, prompt=prompt).tolist() == [text[len(prompt) + 1 :]] * 4


@pytest.mark.parametrize("at_once", [1, 2, 7])
def test_a_prompt_is_read_as_a_whole_however_it_is_cut(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, prompt = make_network(), [1, 2, 3, 4, 5, 6]
    expected = write(network, prompt=prompt)
    monkeypatch.setattr(generation, "AT_ONCE", at_once)
    assert torch.equal(write(network, prompt=prompt), expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_text_goes_on_from_what_was_written_as_from_a_prompt(name: str) -> None:
    network = make_network(name)
    written = write(network, temperature=0, tokens=30, count=1)[0].tolist()
    assert write(network, temperature=0, tokens=18, count=1, prompt=written[:12])[0].tolist() == written[12:]


def test_tokens_are_drawn_when_they_are_asked_for() -> None:
    network, read = make_network(), []
    network.register_forward_hook(lambda _, inputs, __: read.append(inputs[0].shape[1]))
    steps = stream(network, START, tokens=3, sampling=Sampling(), seed=1, prompt=[1, 2])
    assert read == []
    for expected in ([3], [3, 1], [3, 1, 1]):
        assert next(steps).shape == (1,)
        assert read == expected
    assert next(steps, None) is None
    assert read == [3, 1, 1]  # the last token is not read


def test_the_stream_is_what_is_written_and_leaves_gradients_on() -> None:
    network = make_network()
    steps = []
    for ids in stream(network, START, tokens=9, sampling=Sampling(), seed=5):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        steps.append(int(ids))
    assert steps == write(network, seed=5, tokens=9, count=1)[0].tolist()
