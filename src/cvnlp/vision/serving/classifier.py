"""An image classifier with the names of its classes, for picture files, their contents, and arrays."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cvnlp.data.user_files import UnreadableFileError, printable
from cvnlp.params.network_config import VisionConfig
from cvnlp.vision.data.decoding import Decoded, TargetFormat, decode_content, decode_files
from cvnlp.vision.data.parallel import map_in_order
from cvnlp.vision.inference.predict import device_of, predict

SERIAL_FILES = 64  # so few are decoded before other processes would have started
CHUNK_FILES = 256
Source = str | os.PathLike[str]


@dataclass(frozen=True)
class Prediction:
    """`label`: the name of the most probable class, and `index`: its number; `probabilities` of all classes by name."""

    label: str
    index: int
    probabilities: dict[str, float]

    @property
    def probability(self) -> float:
        """Of the predicted class."""
        return self.probabilities[self.label]

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` most probable classes with their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:count]


class ImageClassifier:
    """A trained image classifier; `cvnlp.load` makes one.

    `classes`: their names, in the order of the network's outputs. `shape` (height, width, channels) of its images.
    `network`: the torch module, which takes float (N, C, H, W) in [0, 1] and returns logits. `inverted`: light and dark
    of picture files change places, as digits in ink on white paper need it for a network of white digits on black.
    """

    inverted = False

    def __init__(self, network: nn.Module, config: VisionConfig) -> None:
        """ValueError for a model whose config.json has no class names."""
        if config.processing is None:
            raise ValueError("config.json of the model has no class names: train it again with `dvc repro`")
        self.network, self.config = network, config
        self.classes, self.shape = config.processing.classes, config.data.shape

    @property
    def device(self) -> torch.device:
        """Of the network's parameters or buffers."""
        return device_of(self.network)

    @cached_property
    def form(self) -> TargetFormat:
        """The format into which picture files are decoded, that of the training pictures."""
        decoding = self.config.processing.decoding if self.config.processing else None
        if decoding is None:
            raise ValueError("config.json of the model does not say how pictures are decoded")
        height, width, _ = self.shape
        return TargetFormat((height, width), decoding.fit, decoding.colour, decoding.background)

    def predict(self, pictures: Source | bytes | np.ndarray | Sequence[Source | bytes]) -> list[Prediction]:
        """Classify pictures: one file or several, contents of files (bytes), or an array (N, H, W, C) or (N, H, W).

        Arrays have the size of the network's images, with numbers from 0 to 1 or whole numbers from 0 to 255.
        ValueError with the reason for pictures that cannot be read. `predict_files` goes on after them.
        """
        if isinstance(pictures, np.ndarray):
            return self.name(self.probabilities(pictures))
        sources = [pictures] if isinstance(pictures, str | bytes | os.PathLike) else pictures
        return self.predict_pixels([self.decode(source) for source in sources])

    def predict_pixels(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Classify decoded images uint8 (H, W, C), any number of them, also none."""
        return self.name(self.probabilities(np.stack(images))) if len(images) else []

    def predict_files(
        self, paths: Iterable[Source], *, workers: int = 1
    ) -> Iterator[tuple[str, Prediction | UnreadableFileError]]:
        """Classify files in their order; an error in place of one that cannot be read.

        More `workers` are processes that decode. As always in Python, a script that starts some must guard its own
        work by `if __name__ == "__main__"`.
        """
        names = [os.fspath(path) for path in paths]
        workers = 1 if len(names) <= SERIAL_FILES else workers
        chunks = [names[start : start + CHUNK_FILES] for start in range(0, len(names), CHUNK_FILES)]
        decoded = map_in_order(partial(decode_files, "", form=self.form), chunks, workers=workers)
        for chunk, images in zip(chunks, decoded, strict=True):
            yield from zip(chunk, self._answers(len(chunk), images), strict=True)

    def _answers(self, count: int, decoded: Decoded) -> Iterator[Prediction | UnreadableFileError]:
        predictions = iter(self.name(self.probabilities(self._oriented(decoded.pixels))))
        for position in range(count):
            reason = decoded.reasons.get(position)
            yield next(predictions) if reason is None else UnreadableFileError(reason)

    def decode(self, picture: Source | bytes) -> np.ndarray:
        """Pixels uint8 (H, W, C) of a picture file or of its content, prepared as the training pictures were."""
        if isinstance(picture, bytes):
            return self._oriented(decode_content(picture, self.form))
        decoded = decode_files("", [os.fspath(picture)], self.form)
        if decoded.reasons:
            raise ValueError(f"{printable(os.fspath(picture))}: {decoded.reasons[0]}")
        return self._oriented(decoded.pixels[0])

    def _oriented(self, pixels: np.ndarray) -> np.ndarray:
        return 255 - pixels if self.inverted else pixels

    def request(self) -> int:
        """One request of the smallest size, for measuring; returns its number of pictures."""
        return len(self.predict(np.zeros((1, *self.shape), np.uint8)))

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities float32 (N, classes) of an array of images; see `predict`."""
        if images.ndim == 3 and self.shape[-1] == 1:
            images = images[..., None]
        return predict(self.network, self.config, images)

    def name(self, probabilities: np.ndarray) -> list[Prediction]:
        """Predictions of class probabilities (N, classes)."""
        return [self._prediction(row) for row in probabilities]

    def _prediction(self, row: np.ndarray) -> Prediction:
        index = int(row.argmax())
        return Prediction(self.classes[index], index, dict(zip(self.classes, map(float, row), strict=True)))


def find_pictures(places: Iterable[Source]) -> Iterator[Path]:
    """The files among `places`, and all files in the folders among them, sorted by name; hidden ones are left out."""
    for place in map(Path, places):
        if not place.is_dir():
            yield place
            continue
        for path in sorted(place.rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(place).parts):
                yield path
