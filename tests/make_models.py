"""Small complete models in folders, as the stage `train` leaves them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cvnlp import domains, networks
from cvnlp.data import prepared
from cvnlp.params.language_networks import LstmOptions
from cvnlp.params.network_config import NetworkConfig, TextFormat
from cvnlp.params.processing import Decoding, PictureProcessing, TextProcessing
from cvnlp.params.vision_networks import MlpOptions
from make_networks import image_format, make_config

SHAPE = (8, 12, 3)
CLASSES = (*(f"class {number}" for number in range(8)), "`a|b`", "größe")
VOCABULARY = ("<unk>", "\n", *"abcdefgh", "ß")
NAMES = [(half, name) for half in domains.HALVES for name in sorted(domains.DOMAINS[half].models.MODELS)]


def make_model(folder: Path, data: Path, options: Any = None) -> Path:
    """An untrained network for the prepared data, by default a small MLP or LSTM."""
    facts = prepared.read_facts(data)
    small = MlpOptions(hidden=[8]) if facts.domain == "vision" else LstmOptions(embedding_size=8, hidden_size=8)
    config = networks.describe(facts.domain, options or small, facts)
    config = config.model_copy(update={"processing": prepared.read_processing(data)})
    networks.save(folder, networks.build(config, seed=1), config)
    return folder


def save_pictures(folder: Path, images: np.ndarray) -> list[Path]:
    """PNG files of uint8 (N, H, W, C), grey or RGB, which have exactly these pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.png" for number in range(len(images))]
    for path, pixels in zip(paths, images, strict=True):
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)
    return paths


def complete_config(half: str, name: str, **options: object) -> NetworkConfig:
    """The config of a network for CLASSES or VOCABULARY, without prepared data."""
    data = {"vision": image_format(SHAPE), "language": TextFormat(vocabulary_size=len(VOCABULARY))}[half]
    processing = {
        "vision": PictureProcessing(classes=CLASSES, decoding=Decoding(colour="rgb", fit="pad")),
        "language": TextProcessing(tokens="characters", lowercase=False, start=1, vocabulary=VOCABULARY),
    }[half]
    return make_config(half, name, data, **options).model_copy(update={"processing": processing})


def save_model(folder: Path, half: str, name: str, **options: object) -> Path:
    """A model of the initial weights; those of classifiers are larger, so that their outputs differ more."""
    config = complete_config(half, name, **options)
    network = networks.build(config, seed=1)
    with torch.no_grad():
        for parameter in filter(torch.is_floating_point, network.parameters()):
            parameter.mul_({"vision": 1.5, "language": 1.0}[half])
    networks.save(folder, network, config)
    return folder
