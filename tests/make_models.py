"""Small complete models of every network: with class names, decoding or a vocabulary."""

from pathlib import Path

import torch

from cvnlp import domains, networks
from cvnlp.params.network_config import NetworkConfig, TextFormat
from cvnlp.params.processing import Decoding, PictureProcessing, TextProcessing
from make_networks import image_format, make_config

SHAPE = (8, 12, 3)
CLASSES = (*(f"class {number}" for number in range(8)), "`a|b`", "größe")
VOCABULARY = ("<unk>", "\n", *"abcdefgh", "ß")
NAMES = [(half, name) for half in domains.HALVES for name in sorted(domains.DOMAINS[half].models.MODELS)]


def complete_config(half: str, name: str, **options: object) -> NetworkConfig:
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
