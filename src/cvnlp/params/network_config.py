"""What config.json of a saved network holds: its half, the format and processing of its data, its name and options."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveInt, TypeAdapter, ValidationError

from cvnlp.params.base import Strict
from cvnlp.params.explanation import explain
from cvnlp.params.language_networks import LanguageNetwork
from cvnlp.params.processing import PictureProcessing, TextProcessing
from cvnlp.params.vision_networks import VisionNetwork

# JSON has lists only
Shape = Annotated[tuple[PositiveInt, PositiveInt, PositiveInt], Field(strict=False)]
PerChannel = Annotated[tuple[float, ...], Field(strict=False)]


class ImageFormat(Strict):
    """`shape` (height, width, channels); `mean` and `std` of the training images per channel, pixels from 0 to 1."""

    shape: Shape
    classes: PositiveInt
    mean: PerChannel
    std: PerChannel

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(N, H, W, C), with -1 for any N."""
        return (-1, *self.shape)

    @property
    def input_type(self) -> np.dtype:
        """Of JSON's numbers, which have no type: float, so that none of either scale of pixels is rounded."""
        return np.dtype(np.float32)

    @property
    def outputs(self) -> int:
        return self.classes


class TextFormat(Strict):
    """Token ids are from 0 to `vocabulary_size` - 1."""

    vocabulary_size: PositiveInt

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(N, T), with -1 for any N and T."""
        return (-1, -1)

    @property
    def input_type(self) -> np.dtype:
        return np.dtype(np.int64)

    @property
    def outputs(self) -> int:
        return self.vocabulary_size


class _Config(Strict):
    """`data` decides the shape of the network; `processing` is for those who use it on new files."""

    domain: str
    data: Any
    options: Any
    processing: Any = None

    def to_json(self) -> dict[str, Any]:
        """The content of config.json; of the options only those that params.yaml gives, not the defaults."""
        content = {
            "domain": self.domain,
            "name": self.options.name,
            "data": self.data.model_dump(mode="json"),
            "options": self.options.model_dump(mode="json", exclude={"name"}, exclude_unset=True),
        }
        return content | ({"processing": self.processing.model_dump(mode="json")} if self.processing else {})


class VisionConfig(_Config):
    domain: Literal["vision"] = "vision"
    data: ImageFormat
    options: VisionNetwork
    processing: PictureProcessing | None = None


class LanguageConfig(_Config):
    domain: Literal["language"] = "language"
    data: TextFormat
    options: LanguageNetwork
    processing: TextProcessing | None = None


NetworkConfig = VisionConfig | LanguageConfig
FORM = Annotated[NetworkConfig, Field(discriminator="domain")]
ADAPTER: TypeAdapter[NetworkConfig] = TypeAdapter(FORM)


def make_config(domain: str, data: ImageFormat | TextFormat, options: VisionNetwork | LanguageNetwork) -> NetworkConfig:
    """The config of the network with these `options` for data of this format."""
    return ADAPTER.validate_python({"domain": domain, "data": data, "options": options})


def parse_config(path: Path, content: Any) -> NetworkConfig:
    """The config of which `content`, read from `path`, is the JSON; ValueError names every wrong key."""
    try:
        options = {**content["options"], "name": content["name"]}
        block = {"domain": content["domain"], "data": content["data"], "options": options}
        block |= {"processing": content["processing"]} if "processing" in content else {}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the config of a network ({error})") from None
    try:
        return ADAPTER.validate_python(block)
    except ValidationError as error:
        raise ValueError("\n".join(explain(path, error, block, FORM))) from None
