"""Saved networks of both halves: loading gives the same network; incomplete files are refused."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cvnlp import domains, networks
from cvnlp.launch import devices
from cvnlp.params.network_config import NetworkConfig
from make_networks import make_config

NOT_RANDOM = ("rules", "ngram")  # without initial weights, or always with the same
NAMES = [(half, name) for half in domains.HALVES for name in sorted(domains.DOMAINS[half].models.MODELS)]


def outputs(network: nn.Module, half: str) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    inputs = {
        "vision": torch.rand(3, 1, 12, 12, generator=generator),
        "language": torch.randint(0, 11, (3, 5), generator=generator),
    }
    with torch.no_grad():
        result = network.cpu().eval()(inputs[half])
    return result if isinstance(result, Tensor) else result[0]


@pytest.fixture(params=NAMES, ids="-".join)
def config(request: pytest.FixtureRequest) -> NetworkConfig:
    return make_config(*request.param)


def test_a_loaded_network_equals_the_saved_one(config: NetworkConfig, tmp_path: Path) -> None:
    network = networks.build(config)
    networks.save(tmp_path, network, config)
    loaded, _ = networks.load(tmp_path)
    saved_state, loaded_state = network.state_dict(), loaded.cpu().state_dict()
    assert saved_state.keys() == loaded_state.keys()
    assert all(torch.equal(saved_state[name], loaded_state[name]) for name in saved_state)
    network.to(memory_format=networks.MEMORY_FORMAT)  # another order of the pixels is another order of the sums
    assert torch.equal(outputs(network, config.domain), outputs(loaded, config.domain))


def test_a_loaded_network_is_ready_to_evaluate(config: NetworkConfig, tmp_path: Path) -> None:
    networks.save(tmp_path, networks.build(config).train(), config)
    loaded, _ = networks.load(tmp_path)
    assert not any(module.training for module in loaded.modules())
    assert all(tensor.device.type == devices.device().type for tensor in loaded.state_dict().values())


def test_the_saved_config_is_the_given_one(config: NetworkConfig, tmp_path: Path) -> None:
    networks.save(tmp_path, networks.build(config), config)
    assert json.loads((tmp_path / networks.CONFIG).read_text()) == config.to_json()
    assert networks.load(tmp_path)[1] == config
    assert {path.name for path in tmp_path.iterdir()} == {networks.CONFIG, networks.WEIGHTS}


def test_the_seed_alone_determines_the_initial_weights(config: NetworkConfig) -> None:
    def build(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        network = networks.build(config)
        return {name: parameter.detach() for name, parameter in network.named_parameters()}

    first, again, other = build(1), build(1), build(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    alike = all(torch.equal(first[name], other[name]) for name in first)
    assert alike == (config.options.name in NOT_RANDOM)


def test_saving_twice_gives_the_same_bytes(config: NetworkConfig, tmp_path: Path) -> None:
    network = networks.build(config)
    for folder in ("one", "two"):
        networks.save(tmp_path / folder, network, config)
    for name in (networks.CONFIG, networks.WEIGHTS):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_tied_weights_are_one_matrix_before_and_after_saving(name: str, tmp_path: Path) -> None:
    config = make_config("language", name, tied=True, embedding_size=8, hidden_size=8)
    network = networks.build(config)
    networks.save(tmp_path, network, config)
    loaded, _ = networks.load(tmp_path)
    for one in (network, loaded):
        assert one.output.weight.data_ptr() == one.embedding.weight.data_ptr()
    assert torch.equal(network.embedding.weight, loaded.cpu().embedding.weight)
    assert torch.equal(outputs(network, "language"), outputs(loaded, "language"))


def test_parameters_are_counted_once_each() -> None:
    free = networks.build(make_config("language", "rnn", embedding_size=8, hidden_size=8))
    tied = networks.build(make_config("language", "rnn", embedding_size=8, hidden_size=8, tied=True))
    recurrent = 8 * 8 + 8 * 8 + 8 + 8
    assert networks.parameter_count(tied) == 11 * 8 + recurrent + 11
    assert networks.parameter_count(free) == networks.parameter_count(tied) + 11 * 8


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    config = make_config("vision", "mlp")
    networks.save(tmp_path, networks.build(config), config)
    (tmp_path / networks.CONFIG).unlink()
    with pytest.raises(ValueError, match=rf"{tmp_path}.*{networks.CONFIG} is missing"):
        networks.load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_refused_by_path(share: float, tmp_path: Path) -> None:
    config = make_config("vision", "mlp")
    networks.save(tmp_path, networks.build(config), config)
    path = tmp_path / networks.WEIGHTS
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=str(path)):
        networks.load(tmp_path)


def test_missing_weights_are_refused_by_path(tmp_path: Path) -> None:
    config = make_config("language", "rnn")
    networks.save(tmp_path, networks.build(config), config)
    (tmp_path / networks.WEIGHTS).unlink()
    with pytest.raises(ValueError, match=str(tmp_path / networks.WEIGHTS)):
        networks.load(tmp_path)


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        (make_config("vision", "mlp", hidden=[16]), make_config("vision", "mlp", hidden=[32])),
        (make_config("vision", "mlp"), make_config("vision", "cnn")),
        (make_config("language", "rnn"), make_config("language", "lstm")),
        (make_config("language", "rnn"), make_config("language", "rnn", layers=2)),
    ],
)
def test_the_weights_of_another_network_are_refused_by_path(
    mine: NetworkConfig, others: NetworkConfig, tmp_path: Path
) -> None:
    networks.save(tmp_path / "mine", networks.build(mine), mine)
    networks.save(tmp_path / "others", networks.build(others), others)
    (tmp_path / "others" / networks.WEIGHTS).replace(tmp_path / "mine" / networks.WEIGHTS)
    with pytest.raises(ValueError, match=str(tmp_path / "mine" / networks.WEIGHTS)):
        networks.load(tmp_path / "mine")


def test_a_truncated_config_is_refused_by_path(tmp_path: Path) -> None:
    config = make_config("vision", "mlp")
    networks.save(tmp_path, networks.build(config), config)
    path = tmp_path / networks.CONFIG
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match=str(path)):
        networks.load(tmp_path)


def test_an_interrupted_save_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(network: nn.Module, path: str) -> None:
        Path(path).write_bytes(b"half of the weights")
        raise OSError("no space left")

    monkeypatch.setattr(networks, "save_model", interrupted)
    config = make_config("vision", "mlp")
    with pytest.raises(OSError, match="no space left"):
        networks.save(tmp_path / "model", networks.build(config), config)
    assert not list((tmp_path / "model").iterdir())
