"""What a logged model takes and returns, from the config of its network: names, types and an example."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

from cvnlp.data.prepared import load_array
from cvnlp.params.network_config import LanguageConfig, VisionConfig


@dataclass(frozen=True)
class Interface:
    """`column` of the input and `type` of its values; `params` with their defaults; name -> type of the `outputs`."""

    column: str
    type: str
    params: Mapping[str, int | float]
    outputs: Mapping[str, str]


@singledispatch
def interface(config: Any) -> Interface:
    """The interface of the model with this config. ValueError for one of an older version."""
    raise TypeError(f"{type(config).__name__} is no config of a network")


@interface.register
def _(config: VisionConfig) -> Interface:
    if config.processing is None:
        raise ValueError("config.json of the model has no class names")
    probabilities = {f"probability_{name}": "double" for name in config.processing.classes}
    return Interface("picture", ANY, {}, {"class": "string", "class_id": "long"} | probabilities)


@interface.register
def _(config: LanguageConfig) -> Interface:
    params = {"tokens": 400, "temperature": 0.8, "seed": 1, "top_k": 0, "top_p": 1.0}
    return Interface("prompt", "string", params, {"continuation": "string", "perplexity": "double"})


ANY = "any"  # a text in base64, or an array
EXAMPLE_TOKENS = 12


@singledispatch
def example(config: Any, data: Path) -> str:
    """A value of the input column, from the training split in the folder `data`."""
    raise TypeError(f"{type(config).__name__} is no config of a network")


@example.register
def _(config: VisionConfig, data: Path) -> str:
    from PIL import Image

    pixels = load_array(data, "train_images")[0]
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


@example.register
def _(config: LanguageConfig, data: Path) -> str:
    if config.processing is None:
        raise ValueError("config.json of the model has no vocabulary")
    ids = load_array(data, "train")[:EXAMPLE_TOKENS].tolist()
    tokens = [config.processing.vocabulary[index] for index in ids if index != config.processing.start]
    return ("" if config.processing.token_kind == "characters" else " ").join(tokens)
