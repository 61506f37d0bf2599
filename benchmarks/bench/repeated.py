"""Larger data sets of the same kind, by repeating a prepared one; they are split and written as every data set.

Each repetition of an image differs from it in one pixel, and each repetition of a text has its number as a first line,
so that there are no duplicates.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.language import data as language
from cvnlp.language.data.texts import Texts
from cvnlp.params.datasets import LanguageDataset, VisionDataset
from cvnlp.vision import data as vision
from cvnlp.vision.data.image_set import ImageSet

PICTURES, TEXT = "mnist_sample", "shakespeare"  # the sources in whose place the repeated data are read
HELD_OUT = {"validation": 0.05, "test": 0.05}


def prepare_images(source: Path, folder: Path, count: int, *, held_out: float = HELD_OUT["test"]) -> None:
    """Prepare `count` images from those of the prepared data set `source`."""
    options = VisionDataset(domain="vision", source=PICTURES, seed=1, validation=held_out, test=held_out)
    with mock.patch.dict(vision.READERS, {PICTURES: lambda raw: read_images(source, count)}):
        vision.prepare(Path(), folder, options)


def prepare_text(source: Path, folder: Path, characters: int, *, held_out: float = HELD_OUT["test"]) -> None:
    """Prepare about so many characters from the training text of the prepared data set `source`, of characters."""
    options = LanguageDataset(
        domain="language", source=TEXT, seed=1, tokens="characters", validation=held_out, test=held_out
    )
    with mock.patch.dict(language.READERS, {TEXT: lambda raw: read_text(source, characters)}):
        language.prepare(Path(), folder, options)


def read_images(source: Path, count: int) -> ImageSet:
    images, labels = (
        np.concatenate([prepared.load_array(source, f"{split}_{kind}") for split in prepared.SPLITS])
        for kind in ("images", "labels")
    )
    facts = prepared.read_facts(source, prepared.VisionFacts)
    given = {"train": np.arange(count)}
    rows = partial(_rows, images)
    return ImageSet(facts.classes, np.resize(labels, count), images.shape[1:], rows, given)


def _rows(images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    repetitions, places = np.divmod(indices, len(images))
    found = images[places].copy()
    changed = repetitions > 0
    flat = found.reshape(len(found), -1)
    flat[changed, repetitions[changed] % flat.shape[1]] ^= 255
    return found


def read_text(source: Path, characters: int, *, document: int = 100_000) -> Texts:
    """Documents of about so many characters each; as the prepared text, they are in memory one at a time."""
    vocabulary = np.array(files.read_json(source / "vocabulary.json"))
    tokens = prepared.load_array(source, "train")
    documents = {
        f"document-{number:06d}": partial(_document, tokens, vocabulary, number, length)
        for number, length in enumerate(_lengths(characters, document))
    }
    return Texts("repeated text", documents, {"train": list(documents)})


def _lengths(characters: int, document: int) -> Iterator[int]:
    for start in range(0, characters, document):
        yield min(document, characters - start)


def _document(tokens: np.ndarray, vocabulary: np.ndarray, number: int, length: int) -> str:
    places = (number * length + np.arange(length)) % len(tokens)
    return f"{number}\n" + "".join(vocabulary[tokens[places]])
