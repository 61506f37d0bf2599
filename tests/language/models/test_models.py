"""Every recurrent network in MODELS: shapes, state, gradients, learning; compared with torch and with the formulas."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp import networks
from cvnlp.language.batches import IGNORED
from cvnlp.language.models import MODELS, Recurrent
from cvnlp.language.models.recurrent import detach_state, gpu_dtype, in_dtype
from make_networks import language_model, make_config

RECURRENT = sorted(name for name, model in MODELS.items() if issubclass(model, Recurrent))
VOCABULARY = 11
TIED = {"embedding_size": 8, "hidden_size": 8, "tied": True}
SHAPES: list[dict[str, Any]] = [
    {},
    {"layers": 2},
    TIED,
    {"layers": 3, "hidden_size": 12, "last_size": 8, "embedding_size": 8, "tied": True},
    {"output": "chunked"},
    {"output": "adaptive", "hidden_size": 32},
    {"output": "grouped"},
]


def build(name: str, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return language_model(name, VOCABULARY, **options)


def make_tokens(count: int = 4, length: int = 9) -> Tensor:
    return torch.randint(0, VOCABULARY, (count, length), generator=torch.Generator().manual_seed(1))


def parts_of(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(tensor for part in state for tensor in parts_of(part))


def loss_of(network: Recurrent, tokens: Tensor) -> Tensor:
    return network.nats(tokens[:, :-1], tokens[:, 1:])[0].mean()


@pytest.mark.parametrize("options", SHAPES)
@pytest.mark.parametrize("name", RECURRENT)
def test_every_token_has_logits_for_the_next(name: str, options: dict[str, Any]) -> None:
    network = build(name, **options)
    logits, state = network(make_tokens())
    assert logits.shape == (4, 9, VOCABULARY)
    assert torch.isfinite(logits).all()
    assert len(state) == options.get("layers", 1)
    hidden = options.get("hidden_size", 256)
    sizes = [hidden] * (len(state) - 1) + [options.get("last_size", hidden)]
    for own, size in zip(state, sizes, strict=True):
        assert all(part.shape == (1, 4, size) for part in parts_of(own))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cut", [1, 4, 8])
@pytest.mark.parametrize("name", RECURRENT)
def test_windows_do_not_change_the_output(name: str, cut: int, layers: int) -> None:
    network = build(name, layers=layers).eval()
    tokens = make_tokens()
    with torch.no_grad():
        whole, end = network(tokens)
        first, state = network(tokens[:, :cut])
        second, state = network(tokens[:, cut:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-5)
    for mine, expected in zip(parts_of(state), parts_of(end), strict=True):
        assert torch.allclose(mine, expected, atol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_outputs_do_not_depend_on_later_tokens(name: str) -> None:
    network = build(name).eval()
    tokens = make_tokens()
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % VOCABULARY
    with torch.no_grad():
        before, after = network(tokens)[0], network(changed)[0]
    assert torch.equal(before[:, :5], after[:, :5])
    assert (before[:, 5:] != after[:, 5:]).any(2).all()


@pytest.mark.parametrize("name", RECURRENT)
def test_texts_of_a_batch_are_independent(name: str) -> None:
    network = build(name).eval()
    tokens = make_tokens()
    with torch.no_grad():
        alone = torch.cat([network(text[None])[0] for text in tokens])
        assert torch.allclose(network(tokens)[0], alone, atol=1e-5)


@pytest.mark.parametrize("options", SHAPES)
@pytest.mark.parametrize("name", RECURRENT)
def test_gradients_reach_every_parameter(name: str, options: dict[str, Any]) -> None:
    network = build(name, **options)
    loss_of(network, make_tokens()).backward()
    for path, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), path
        assert parameter.grad.any(), path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tied": True},
        {"tied": True, "output": "chunked"},
        {"tied": True, "output": "grouped"},
        {"output": "adaptive"},
    ],
)
@pytest.mark.parametrize("name", RECURRENT)
def test_one_batch_can_be_overfitted(name: str, options: dict[str, Any]) -> None:
    network = build(name, embedding_size=32, hidden_size=32, **options)
    tokens = make_tokens()
    tokens[:, 0] = torch.arange(len(tokens))  # texts that begin alike could not be told apart
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.02)
    for _ in range(150):
        loss = loss_of(network, tokens)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


@pytest.mark.parametrize("options", SHAPES)
@pytest.mark.parametrize("name", RECURRENT)
def test_nats_logits_and_hidden_agree(name: str, options: dict[str, Any]) -> None:
    network, tokens = build(name, **options).eval(), make_tokens()
    targets = tokens.roll(1, 1)
    targets[0, 3] = IGNORED
    with torch.no_grad():
        _, state = network(tokens)  # one that has read something
        found, after = network(tokens, state)
        nats, end = network.nats(tokens, targets, state)
        outputs, last = network.hidden(tokens, state)
    expected = F.cross_entropy(found.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none")
    assert nats.dtype == torch.float32
    assert torch.allclose(nats, expected, atol=1e-6)
    assert torch.equal(network.logits(outputs), found)
    for mine, other, third in zip(parts_of(after), parts_of(end), parts_of(last), strict=True):
        assert torch.equal(mine, other) and torch.equal(mine, third)


@pytest.mark.parametrize("name", RECURRENT)
def test_plain_and_chunked_are_the_same_model(name: str) -> None:
    plain, chunked = build(name, **TIED), build(name, **TIED, output="chunked")
    chunked.load_state_dict(plain.state_dict())
    for network in (plain, chunked):
        loss_of(network, make_tokens()).backward()
    for mine, other in zip(plain.parameters(), chunked.parameters(), strict=True):
        assert torch.allclose(mine.grad, other.grad, atol=1e-6)


@pytest.mark.parametrize("name", RECURRENT)
def test_tied_weights_share_their_memory(name: str) -> None:
    network = build(name, embedding_size=8, hidden_size=8, tied=True)
    assert network.output.weight.data_ptr() == network.embedding.weight.data_ptr()
    with torch.no_grad():
        network.embedding.weight.fill_(0.5)
    assert (network.output.weight == 0.5).all()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_initial_weights_are_within_the_initial_range(name: str, tied: bool) -> None:
    network = build(name, embedding_size=16, hidden_size=16, initial_range=0.05, tied=tied)
    for path, parameter in network.named_parameters():
        if "bias" not in path and "weight_hh" not in path:  # those a kind of cell may choose for itself
            assert 0.04 < parameter.abs().max() <= 0.05, path


@pytest.mark.parametrize("output", ["plain", "adaptive"])
@pytest.mark.parametrize("name", RECURRENT)
def test_embedding_range_applies_to_embedding_and_output_alone(name: str, output: str) -> None:
    network = build(name, embedding_size=64, hidden_size=64, embedding_range=0.05, output=output)
    for path, parameter in network.named_parameters():
        if path.startswith("recurrent"):
            assert parameter.abs().max() > 0.06, path  # torch's: an eighth
        elif parameter.ndim == 1:
            assert not parameter.any(), path
        else:
            assert 0.03 < parameter.abs().max() <= 0.05, path


@pytest.mark.parametrize("kind", ["zero", "frequencies"])
@pytest.mark.parametrize("output", ["plain", "chunked"])
def test_output_bias_zero_changes_no_other_initial_weight(output: str, kind: str) -> None:
    drawn = build("lstm", initial_range=0.1, output=output).state_dict()
    for path, tensor in build("lstm", initial_range=0.1, output=output, output_bias=kind).state_dict().items():
        assert torch.equal(tensor, drawn[path] * (path != "output.bias")), path


@pytest.mark.parametrize("output", ["plain", "chunked", "grouped"])
@pytest.mark.parametrize("name", RECURRENT)
def test_the_output_bias_predicts_token_frequencies(name: str, output: str) -> None:
    network = build(name, output_bias="frequencies", output=output)
    counts = torch.randint(2, 100, (VOCABULARY,), generator=torch.Generator().manual_seed(2))
    counts[3] = 0
    network.set_output_bias(counts)
    found = network.logits(torch.zeros(1, 1, 256)).softmax(2)[0, 0]
    counts[3] = 1
    assert torch.allclose(found, counts / counts.sum(), rtol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_embedding_scale_multiplies_only_the_embedded_tokens(name: str) -> None:
    options = {"embedding_size": 8, "hidden_size": 8, "tied": True}
    plain, scaled = build(name, **options), build(name, **options, embedding_scale=3.0)
    tokens = make_tokens()
    assert torch.equal(scaled.embed(tokens), 3 * plain.embed(tokens))
    assert torch.equal(scaled.output.weight, plain.output.weight)
    assert torch.equal(scaled(tokens)[0], scaled.forward_embedded(scaled.embed(tokens))[0])


@pytest.mark.parametrize("initial_range", [None, 0.1])
def test_the_biases_of_the_forget_gate_sum_to_1(initial_range: float | None) -> None:
    recurrent = build("lstm", hidden_size=6, layers=2, initial_range=initial_range, forget_bias=1.0).recurrent
    for layer in range(2):
        biases = recurrent[layer].bias_ih_l0 + recurrent[layer].bias_hh_l0
        enter, forget, candidate, leave = biases.chunk(4)
        assert torch.equal(forget, torch.ones(6))
        assert not any((gate == 1).any() for gate in (enter, candidate, leave))


@pytest.mark.parametrize("initial_range", [None, 0.1])
def test_the_initial_recurrent_matrix_of_the_rnn_preserves_norms(initial_range: float | None) -> None:
    recurrent = build("rnn", hidden_size=6, layers=2, initial_range=initial_range).recurrent
    for layer in range(2):
        weight = recurrent[layer].weight_hh_l0
        assert torch.allclose(weight @ weight.T, torch.eye(6), atol=1e-5)


@pytest.mark.parametrize("options", [*SHAPES, {"dropout": {"input": 0.1, "weight": 0.4}, "locked": True, "layers": 2}])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_loaded_network_equals_the_saved_one(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    config = make_config("language", name, {"vocabulary_size": VOCABULARY}, **options)
    network = networks.build(config, seed=1).eval()
    networks.save(tmp_path, network, config)
    loaded = networks.load(tmp_path)[0].cpu()
    assert torch.equal(loaded(make_tokens())[0], network(make_tokens())[0])
    assert networks.parameter_count(loaded) == networks.parameter_count(network)


def test_a_relu_rnn_starts_with_the_identity() -> None:
    network = build("rnn", hidden_size=6, layers=2, activation="relu")
    for layer in network.recurrent:
        assert torch.equal(layer.weight_hh_l0, torch.eye(6))


# References --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("name", "options", "reference"),
    [
        ("rnn", {}, partial(nn.RNN, nonlinearity="tanh")),
        ("rnn", {"activation": "relu"}, partial(nn.RNN, nonlinearity="relu")),
        ("gru", {}, nn.GRU),
        ("lstm", {}, nn.LSTM),
    ],
)
def test_layers_equal_those_of_torch(name: str, options: dict[str, Any], reference: Any, layers: int) -> None:
    """Outputs, states and gradients, compared with one network of torch with all layers and the same weights."""
    network = build(name, layers=layers, embedding_size=5, hidden_size=7, **options)
    twin = reference(5, 7, layers, batch_first=True)
    twin.load_state_dict(
        {
            path.replace("_l0", f"_l{number}"): weight
            for number, layer in enumerate(network.recurrent)
            for path, weight in layer.state_dict().items()
        }
    )
    embedded = network.embed(make_tokens()).detach()
    found, state = network.forward_layers(embedded)
    expected, end = twin(embedded)
    assert torch.allclose(found, expected, atol=1e-6)
    for part, whole in enumerate(parts_of(end)):
        mine = torch.cat([parts_of(own)[part] for own in state])
        assert torch.allclose(mine, whole, atol=1e-6)
    for values in (found, expected):
        values.square().sum().backward()
    mine = [parameter.grad for layer in network.recurrent for parameter in layer.parameters()]
    for own, other in zip(mine, twin.parameters(), strict=True):
        assert torch.allclose(own, other.grad, atol=1e-5)


def rnn_step(read: Tensor, kept: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (torch.tanh(read + kept),)


def gru_step(read: Tensor, kept: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (reset, update, candidate), (own_reset, own_update, own) = read.chunk(3, dim=1), kept.chunk(3, dim=1)
    new = torch.tanh(candidate + (reset + own_reset).sigmoid() * own)
    share = (update + own_update).sigmoid()
    return ((1 - share) * new + share * state[0],)


def lstm_step(read: Tensor, kept: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    enter, forget, candidate, leave = (read + kept).chunk(4, dim=1)
    memory = forget.sigmoid() * state[1] + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * memory.tanh(), memory


STEPS = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_network_equals_its_formula_step_by_step(name: str, layers: int) -> None:
    torch.manual_seed(5)
    network = language_model(name, VOCABULARY, embedding_size=3, hidden_size=4, layers=layers, embedding_scale=2.0)
    network, tokens = network.double().eval(), make_tokens(count=2, length=6)
    states = [(torch.zeros(2, 4, dtype=torch.float64),) * 2 for _ in range(layers)]
    for step in range(6):
        below = network.embedding.weight[tokens[:, step]] * 2.0
        for number, layer in enumerate(network.recurrent):
            read = below @ layer.weight_ih_l0.T + layer.bias_ih_l0
            kept = states[number][0] @ layer.weight_hh_l0.T + layer.bias_hh_l0
            states[number] = STEPS[name](read, kept, states[number])
            below = states[number][0]
        expected = below @ network.output.weight.T + network.output.bias
        assert torch.allclose(network(tokens)[0][:, step], expected, atol=1e-12)


# On a GPU


@pytest.mark.parametrize("name", RECURRENT)
def test_a_layer_computed_in_another_type_has_its_outputs_and_gradients(name: str) -> None:
    layer: Any = build(name).recurrent[0]
    values = torch.randn(3, 5, layer.input_size, generator=torch.Generator().manual_seed(1))
    state = detach_state(layer(values)[1])
    expected, after = layer(values, state)
    found, end = in_dtype(torch.float64, layer, {}, values, state)
    assert found.dtype == torch.float64
    assert torch.allclose(found.float(), expected, atol=1e-5)
    for mine, other in zip(parts_of(end), parts_of(after), strict=True):
        assert torch.allclose(mine.float(), other, atol=1e-5)
    weights = [*layer.parameters()]
    gradients = [torch.autograd.grad(outputs.square().sum(), weights) for outputs in (found, expected)]
    for mine, other in zip(*gradients, strict=True):
        assert mine.dtype == torch.float32
        assert torch.allclose(mine, other, atol=1e-4)


@pytest.mark.parametrize(("version", "dtype"), [(None, torch.float32), (91200, torch.float32), (91300, torch.bfloat16)])
def test_old_versions_of_cudnn_have_no_bfloat16(
    version: int | None, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: version)
    assert gpu_dtype() == dtype
