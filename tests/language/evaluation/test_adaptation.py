"""Models that adapt while they are scored: equal to static ones where nothing adapts, to plain loops where it does, and
independent of later tokens."""

import copy
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvnlp.data import prepared
from cvnlp.language.evaluation.adaptation import adapt
from cvnlp.language.evaluation.continuous_cache import CacheSettings, cache_nats
from cvnlp.language.evaluation.dynamic_evaluation import EPSILON, DynamicSettings, dynamic_nats, gradient_sizes
from cvnlp.language.inference.scoring import text_nats
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.launch.devices import device
from cvnlp.params.evaluation import LanguageEvaluate
from make_networks import language_model

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY, START, LENGTH = 7, 3, 40
STILL = {"lr": 0.0, "decay": 0.5, "window": 5, "statistics": 200}
MOVING = {"lr": 0.001, "decay": 0.1, "window": 5, "statistics": 200}
UNUSED = {"size": 8, "sharpness": 0.7, "share": 0.0}
USED = {"size": 8, "sharpness": 0.7, "share": 0.3}
METHODS: dict[str, Any] = {"dynamic": dynamic_nats, "cache": cache_nats}
SETTINGS: dict[str, Any] = {"dynamic": DynamicSettings, "cache": CacheSettings}
LISTS = {"dynamic": {"lr", "decay"}, "cache": {"sharpness", "share"}}


def make_network(name: str = "lstm", **options: Any) -> Recurrent:
    torch.manual_seed(0)
    sizes = {"embedding_size": 6, "hidden_size": 6, "initial_range": 0.8}
    return language_model(name, VOCABULARY, **(sizes | options)).to(device()).eval()


def save(folder: Path, **changes: tuple[int, int]) -> Path:
    """A data set whose `test` text may have one token changed: {"test": (place, token)}."""
    generator = np.random.default_rng(5)
    for split in prepared.SPLITS:
        tokens = generator.integers(0, VOCABULARY, 600 if split == "train" else LENGTH).astype(np.uint16)
        if split in changes:
            place, token = changes[split]
            tokens[place] = token
        prepared.save_array(folder, split, tokens)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return save(tmp_path / "data")


def nats_of(method: str, network: Recurrent, data: Path, *grid: dict[str, Any]) -> np.ndarray:
    return METHODS[method](network, data, "test", START, [SETTINGS[method](**one) for one in grid])


@pytest.mark.parametrize(("method", "settings"), [("dynamic", STILL), ("cache", UNUSED)])
@pytest.mark.parametrize("name", RECURRENT)
def test_without_adaptation_the_nats_are_the_static_ones(
    name: str, method: str, settings: dict[str, Any], data: Path
) -> None:
    network = make_network(name)
    static = text_nats(network, prepared.load_array(data, "test"), START)
    found = nats_of(method, network, data, settings)[0]
    assert found.dtype == np.float32 and found.shape == (LENGTH,)
    assert found == pytest.approx(static, abs=1e-5)


@pytest.mark.parametrize("output", ["plain", "chunked", "grouped", "adaptive"])
@pytest.mark.parametrize(("method", "settings"), [("dynamic", STILL), ("cache", UNUSED)])
def test_every_output_layer_adapts(output: str, method: str, settings: dict[str, Any], data: Path) -> None:
    network = make_network(output=output, hidden_size=16)
    static = text_nats(network, prepared.load_array(data, "test"), START)
    assert nats_of(method, network, data, settings)[0] == pytest.approx(static, abs=1e-5)
    moved = nats_of(method, network, data, MOVING if method == "dynamic" else USED)[0]
    assert np.isfinite(moved).all() and moved[-1] != pytest.approx(static[-1], abs=1e-5)


@pytest.mark.parametrize(("method", "settings"), [("dynamic", MOVING), ("cache", USED)])
@pytest.mark.parametrize("place", [0, 7, 12, 39])
def test_nats_do_not_depend_on_later_tokens(
    place: int, method: str, settings: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    network = make_network()
    before = nats_of(method, network, data, settings)[0]
    token = (int(prepared.load_array(data, "test")[place]) + 1) % VOCABULARY
    after = nats_of(method, network, save(tmp_path / "changed", test=(place, token)), settings)[0]
    assert np.array_equal(before[:place], after[:place])
    assert before[place] != after[place]
    assert (before[place + 1 :] != after[place + 1 :]).all()


@pytest.mark.parametrize(("method", "settings"), [("dynamic", MOVING), ("cache", USED)])
def test_network_is_not_changed(method: str, settings: dict[str, Any], data: Path) -> None:
    network = make_network(tied=True)
    before = copy.deepcopy(network.state_dict())
    nats_of(method, network, data, settings)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


# Dynamic evaluation ---------------------------------------------------------------------------------------------------


def by_hand(network: Recurrent, data: Path, *, lr: float, decay: float, window: int, statistics: int) -> np.ndarray:
    """Every step of the formula in a plain loop."""
    network = copy.deepcopy(network)
    sizes = gradient_sizes(network, prepared.load_array(data, "train"), START, window=window, tokens=statistics)
    mean = torch.cat([size.flatten() for size in sizes]).mean()
    trained = [weight.detach().clone() for weight in network.parameters()]
    text = torch.tensor([[START, *prepared.load_array(data, "test").tolist()]], device=device())
    state, found = None, []
    for begin in range(0, LENGTH, window):
        inputs, targets = text[:, begin : min(begin + window, LENGTH)], text[:, begin + 1 : begin + window + 1]
        logits, state = network(inputs, state)
        state = tuple(tuple(part.detach() for part in layer) for layer in state)
        nats = F.cross_entropy(logits[0], targets[0], reduction="none")
        found += nats.tolist()
        network.zero_grad()
        nats.mean().backward()
        with torch.no_grad():
            for weight, origin, size in zip(network.parameters(), trained, sizes, strict=True):
                pull = (decay * size / mean).clamp(max=1.0)
                weight += pull * (origin - weight) - lr * weight.grad / (size + EPSILON)
    return np.array(found)


@pytest.mark.parametrize("changes", [{}, {"window": 3}, {"lr": 0.003}, {"decay": 5.0}, {"window": 40}], ids=str)
@pytest.mark.parametrize("tied", [False, True])
def test_dynamic_evaluation_equals_a_plain_loop(tied: bool, changes: dict[str, Any], data: Path) -> None:
    network, settings = make_network(tied=tied), MOVING | changes
    assert nats_of("dynamic", network, data, settings)[0] == pytest.approx(by_hand(network, data, **settings), abs=1e-4)


def test_settings_of_a_grid_are_independent(data: Path) -> None:
    network, other = make_network(), MOVING | {"lr": 0.05}
    together = nats_of("dynamic", network, data, other, MOVING)
    assert np.array_equal(together[0], nats_of("dynamic", network, data, other)[0])
    assert np.array_equal(together[1], nats_of("dynamic", network, data, MOVING)[0])


def test_gradient_sizes_are_those_of_the_training_text() -> None:
    network, text = make_network(), np.random.default_rng(1).integers(0, VOCABULARY, 12).astype(np.uint16)
    inputs = torch.tensor([[START, *text[:-1].tolist()]], device=device())
    targets = torch.from_numpy(text.astype(np.int64)).to(device())
    F.cross_entropy(network(inputs)[0][0], targets).backward()
    expected = [weight.grad.abs() for weight in network.parameters()]
    network.zero_grad()
    sizes = gradient_sizes(network, text, START, window=12, tokens=12, columns=1)
    for size, one in zip(sizes, expected, strict=True):
        assert torch.allclose(size, one, atol=1e-6)


def test_repetitive_text_is_learned(tmp_path: Path) -> None:
    folder = save(tmp_path / "data")
    prepared.save_array(folder, "test", np.tile(np.array([1, 2, 4, 5], np.uint16), 60))
    nats = nats_of("dynamic", make_network(), folder, {"lr": 0.02, "decay": 0.0, "window": 4, "statistics": 600})[0]
    assert nats[-40:].mean() < 0.5 * nats[:40].mean()


# The cache ------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def cached_by_hand(network: Recurrent, data: Path, *, size: int, sharpness: float, share: float) -> list[float]:
    """Token by token, in float64."""
    text = prepared.load_array(data, "test").tolist()
    outputs, _ = network.hidden(torch.tensor([[START, *text[:-1]]], device=device()))
    likely = network.logits(outputs)[0].double().softmax(1).cpu()
    states = outputs[0].double().cpu()
    found = []
    for now, token in enumerate(text):
        held = range(max(0, now - size), now)
        weights = {back: math.exp(sharpness * float(states[now] @ states[back])) for back in held}
        cached = sum(weights[back] for back in held if text[back] == token) / sum(weights.values()) if held else None
        p = float(likely[now, token])
        found.append(-math.log(p if cached is None else (1 - share) * p + share * cached))
    return found


@pytest.mark.parametrize("changes", [{}, {"size": 1}, {"size": 1000}, {"sharpness": 0.0}, {"sharpness": 9.0}], ids=str)
@pytest.mark.parametrize("name", RECURRENT)
def test_cache_equals_a_plain_loop(name: str, changes: dict[str, Any], data: Path) -> None:
    network, settings = make_network(name), USED | changes
    expected = cached_by_hand(network, data, **settings)
    assert nats_of("cache", network, data, settings)[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("window", [1, 3, 7, 39, 40, 41])
def test_window_does_not_change_the_nats_of_the_cache(window: int, data: Path) -> None:
    network, grid = make_network(), [CacheSettings(**USED)]
    expected = nats_of("cache", network, data, USED)
    assert cache_nats(network, data, "test", START, grid, window=window) == pytest.approx(expected, abs=1e-5)


def test_first_token_has_an_empty_cache(data: Path) -> None:
    network = make_network()
    static = text_nats(network, prepared.load_array(data, "test"), START)
    assert nats_of("cache", network, data, USED)[0, 0] == pytest.approx(static[0], abs=1e-6)


@torch.no_grad()
def test_probabilities_of_all_tokens_sum_to_one(data: Path, tmp_path: Path) -> None:
    last = [
        nats_of("cache", make_network(), save(tmp_path / str(token), test=(LENGTH - 1, token)), USED)[0, -1]
        for token in range(VOCABULARY)
    ]
    assert np.exp(-np.array(last, dtype=np.float64)).sum() == pytest.approx(1.0, abs=1e-5)


# Both -----------------------------------------------------------------------------------------------------------------


def options_of(**blocks: dict[str, Any]) -> LanguageEvaluate:
    """Blocks in which every setting may be one value or a list."""
    several = {name: LISTS[name] & block.keys() for name, block in blocks.items()}
    return LanguageEvaluate.model_validate(
        {
            name: block | {key: np.atleast_1d(block[key]).tolist() for key in several[name]}
            for name, block in blocks.items()
        }
    )


def test_only_methods_with_a_block_of_options_are_used(data: Path) -> None:
    assert adapt(make_network(), data, START, options_of()) == {}
    assert list(adapt(make_network(), data, START, options_of(cache=USED))) == ["cache"]


@pytest.mark.parametrize(
    ("method", "settings", "lists"),
    [
        ("dynamic", MOVING, {"lr": [0.0, 0.003, 0.3], "decay": [0.0, 0.2]}),
        ("cache", USED, {"sharpness": [0.0, 1.0, 4.0], "share": [0.01, 0.1, 0.6]}),
    ],
)
def test_settings_are_chosen_on_the_validation_split(
    method: str, settings: dict[str, Any], lists: dict[str, list[float]], data: Path
) -> None:
    network = make_network()
    result = adapt(network, data, START, options_of(**{method: settings | lists}))[method]
    names, (first, second) = list(lists), lists.values()
    grid = [settings | dict(zip(names, pair, strict=True)) for pair in [(one, two) for one in first for two in second]]
    scored = METHODS[method](network, data, "validation", START, [SETTINGS[method](**one) for one in grid]).mean(1)
    assert len(set(scored.tolist())) > 1
    assert asdict(result.settings) == grid[int(scored.argmin())]
    assert np.array_equal(result.nats, nats_of(method, network, data, asdict(result.settings))[0])


def test_single_setting_needs_no_validation_split(data: Path) -> None:
    (data / "validation.npy").unlink()
    settings = USED | {"sharpness": [0.7], "share": [0.3]}
    assert adapt(make_network(), data, START, options_of(cache=settings))["cache"].settings == CacheSettings(**USED)


@pytest.mark.parametrize(("method", "settings"), [("dynamic", MOVING), ("cache", USED)])
def test_network_that_is_not_recurrent_is_refused(method: str, settings: dict[str, Any], data: Path) -> None:
    with pytest.raises(ValueError, match=rf"evaluate\.{method}: needs a recurrent network"):
        adapt(language_model("ngram", VOCABULARY), data, START, options_of(**{method: settings}))


def test_setting_that_diverges_is_not_chosen_and_refused_if_it_is_the_only_one(data: Path) -> None:
    wild = MOVING | {"lr": [1e38]}
    with pytest.raises(ValueError, match=r"evaluate\.dynamic: the model diverged with lr 1e\+38, decay 0.1, window 5"):
        adapt(make_network(), data, START, options_of(dynamic=wild))
    result = adapt(make_network(), data, START, options_of(dynamic=wild | {"lr": [1e38, 0.001]}))["dynamic"]
    assert result.settings == DynamicSettings(**MOVING)
