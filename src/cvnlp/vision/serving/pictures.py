"""Pictures as clients send them, as bytes or in base64, classified within limits."""

import base64
import binascii
import contextlib
import io
import warnings
from collections.abc import Sequence

from PIL import Image

from cvnlp.data.user_files import UnreadableFileError
from cvnlp.vision.data.decoding import FORMATS
from cvnlp.vision.serving.classifier import ImageClassifier, Prediction

MAX_PIXELS = 25_000_000  # of a picture; more would need hundreds of megabytes when it is decoded

Answer = Prediction | UnreadableFileError


def from_base64(text: str) -> bytes:
    """The content of a picture file in base64, also as a data URL; UnreadableFileError if it is not base64."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableFileError("not base64") from None


def classify(classifier: ImageClassifier, contents: Sequence[bytes], *, max_pixels: int = MAX_PIXELS) -> list[Answer]:
    """For each content of a picture file its prediction, or the reason why it cannot be used.

    The network runs once. Not for several threads: decoding changes the warning filters.
    """
    decoded, answers = [], dict[int, Answer]()
    for position, content in enumerate(contents):
        try:
            _check_size(content, max_pixels)
            decoded.append(classifier.decode(content))
        except UnreadableFileError as error:
            answers[position] = error
        except MemoryError:
            answers[position] = UnreadableFileError("needs more memory than there is")
    predictions = iter(classifier.predict_pixels(decoded))
    return [answers[position] if position in answers else next(predictions) for position in range(len(contents))]


def _check_size(content: bytes, limit: int) -> None:
    """Refuse a picture of too many pixels by its header, before any pixel is decoded."""
    size = (0, 0)
    with warnings.catch_warnings(), contextlib.suppress(Exception):  # decoding explains what is wrong with the file
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            size = image.size
    if size[0] * size[1] > limit:
        raise UnreadableFileError(f"{size[0]} x {size[1]} pixels, more than {limit:,}")
