"""Small networks for tests, built from the options that params.yaml would give."""

from typing import Any

from cvnlp import networks
from cvnlp.language.models import Network
from cvnlp.params.network_config import ImageFormat, NetworkConfig, TextFormat, parse_config
from cvnlp.vision.models import Classifier

SHAPE = (12, 12, 1)


def image_format(
    shape: tuple[int, int, int] = SHAPE, classes: int = 10, mean: float | None = None, std: float | None = None
) -> ImageFormat:
    """`mean` and `std` of all channels; if not given, different ones of up to three channels."""
    means, stds = ((0.3, 0.4, 0.5)[: shape[2]], (0.2, 0.3, 0.1)[: shape[2]])
    return ImageFormat(
        shape=shape,
        classes=classes,
        mean=means if mean is None else (mean,) * shape[2],
        std=stds if std is None else (std,) * shape[2],
    )


def make_config(half: str, name: str, data: Any = None, **options: Any) -> NetworkConfig:
    """The config of a network, for tiny data if none are given."""
    default = image_format() if half == "vision" else TextFormat(vocabulary_size=11)
    content = {"domain": half, "name": name, "data": data or default, "options": options}
    return parse_config(networks.CONFIG, content)


def classifier(
    name: str,
    shape: tuple[int, int, int] = SHAPE,
    classes: int = 10,
    *,
    mean: float | None = None,
    std: float | None = None,
    **options: Any,
) -> Classifier:
    return networks.build(make_config("vision", name, image_format(tuple(shape), classes, mean, std), **options))


def language_model(name: str, vocabulary_size: int = 11, **options: Any) -> Network:
    return networks.build(make_config("language", name, TextFormat(vocabulary_size=vocabulary_size), **options))
