"""Networks as others call them: arrays in, probabilities out, the same as the network's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.launch import devices
from cvnlp.params.network_config import NetworkConfig, TextFormat
from cvnlp.vision.inference import predict_split
from make_networks import image_format, make_config

DATA = {"vision": image_format((8, 12, 3)), "language": TextFormat(vocabulary_size=11)}
VISION, LANGUAGE = (domains.DOMAINS[half].inference for half in ("vision", "language"))
NAMES = [(half, name) for half in domains.HALVES for name in sorted(domains.DOMAINS[half].models.MODELS)]


def make_network(half: str, name: str) -> tuple[nn.Module, NetworkConfig]:
    torch.manual_seed(0)
    config = make_config(half, name, DATA[half])
    return networks.build(config).eval(), config


def names_of(half: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for owner, name in NAMES if owner == half])


@pytest.mark.parametrize(("half", "name"), NAMES)
def test_the_example_is_answered_with_probabilities(half: str, name: str) -> None:
    network, config = make_network(half, name)
    size = [2 if length == -1 else length for length in config.data.input_shape]
    example = np.zeros(size, config.data.input_type)
    answer = domains.DOMAINS[half].inference.predict(network, config, example)
    assert isinstance(answer, np.ndarray) and answer.dtype == np.float32
    assert answer.shape == (2, config.data.outputs)
    assert answer.min() >= 0
    assert answer.sum(1) == pytest.approx(np.ones(len(answer)), abs=1e-5)


@names_of("vision")
def test_class_probabilities_are_the_softmax_of_the_network(name: str) -> None:
    network, config = make_network("vision", name)
    pictures = np.random.default_rng(1).integers(0, 256, (5, 8, 12, 3), dtype=np.uint8)
    with torch.no_grad():
        logits = network(torch.from_numpy(pictures / 255).float().permute(0, 3, 1, 2).contiguous())
    assert VISION.predict(network, config, pictures) == pytest.approx(logits.softmax(1).numpy(), abs=1e-5)


@names_of("language")
def test_token_probabilities_are_the_softmax_after_the_last_token(name: str) -> None:
    network, config = make_network("language", name)
    tokens = np.random.default_rng(1).integers(0, 11, (4, 6))
    with torch.no_grad():
        logits, _ = network(torch.from_numpy(tokens))
    assert LANGUAGE.predict(network, config, tokens) == pytest.approx(logits[:, -1].softmax(1).numpy(), abs=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint16, np.int64])
def test_any_kind_of_integer_is_a_token(kind: type) -> None:
    network, config = make_network("language", "lstm")
    tokens = np.random.default_rng(1).integers(0, 11, (4, 6))
    assert np.array_equal(
        LANGUAGE.predict(network, config, tokens.astype(kind)), LANGUAGE.predict(network, config, tokens)
    )


def test_predictions_for_arrays_equal_those_of_evaluation(vision_data: Path) -> None:
    torch.manual_seed(0)
    arguments = domains.DOMAINS["vision"].models.input_format(prepared.read_facts(vision_data, VisionFacts))
    config = make_config("vision", "cnn", arguments)
    network = networks.build(config).to(devices.device()).eval()
    expected, _ = predict_split(network, vision_data, "test")
    pictures = np.array(prepared.load_array(vision_data, "test_images"))
    assert VISION.predict(network.cpu(), config, pictures) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(2, 12, 8, 3), (2, 8, 12, 1), (2, 3, 8, 12), (8, 12, 3), (2, 8, 12)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    network, config = make_network("vision", "mlp")
    with pytest.raises(ValueError, match=r"the network expects \(8, 12, 3\)"):
        VISION.predict(network, config, np.zeros(shape, np.uint8))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_pixels_may_have_either_scale(kind: type) -> None:
    network, config = make_network("vision", "cnn")
    pictures = np.random.default_rng(1).integers(0, 256, (5, 8, 12, 3), dtype=np.uint8)
    expected = VISION.predict(network, config, pictures)
    assert np.array_equal(VISION.predict(network, config, pictures.astype(kind)), expected)
    scaled = (pictures / 255).astype(np.float32)
    assert np.array_equal(VISION.predict(network, config, scaled), expected)


@pytest.mark.parametrize("values", [(0.5, 254), (-0.1, 1), (-3, 4), (0, 256), (0, np.nan), (0, np.inf)])
def test_pixels_of_no_scale_are_refused(values: tuple[float, float]) -> None:
    network, config = make_network("vision", "mlp")
    pictures = np.zeros((2, 8, 12, 3), np.float32)
    pictures[1, :2, 0, 0] = values
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 255, or numbers from 0 to 1"):
        VISION.predict(network, config, pictures)


@pytest.mark.parametrize("kind", [bool, complex, object, "U1", "datetime64[s]"])
def test_pixels_that_are_no_numbers_are_refused(kind: Any) -> None:
    network, config = make_network("vision", "mlp")
    with pytest.raises(ValueError, match="the network expects numbers"):
        VISION.predict(network, config, np.zeros((2, 8, 12, 3), kind))


@pytest.mark.parametrize("kind", [bool, np.float32, object])
def test_tokens_that_are_no_integers_are_refused(kind: Any) -> None:
    network, config = make_network("language", "lstm")
    with pytest.raises(ValueError, match=r"token ids of type .* must be integers"):
        LANGUAGE.predict(network, config, np.ones((2, 3), kind))


@pytest.mark.parametrize("token", [-1, 11, 1000])
def test_tokens_outside_the_vocabulary_are_refused(token: int) -> None:
    network, config = make_network("language", "lstm")
    tokens = np.zeros((2, 4), np.int64)
    tokens[1, 2] = token
    with pytest.raises(ValueError, match=rf"from 0 to 10, not .*{token}"):
        LANGUAGE.predict(network, config, tokens)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (2, 0)])
def test_texts_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    network, config = make_network("language", "lstm")
    with pytest.raises(ValueError):
        LANGUAGE.predict(network, config, np.zeros(shape, np.int64))
