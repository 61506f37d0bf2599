"""Decode a user's image files to uint8 (H, W, C), or give the reason why a file cannot be used."""

import contextlib
import errno
import io
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from cvnlp.data.duplicates import digest
from cvnlp.data.user_files import UnreadableFileError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MODES = {"grey": "L", "rgb": "RGB"}
DRAFT_FACTOR = 2  # a JPEG is decoded at a reduced size that is at least so many times the target size

# orientation in the EXIF data -> the transposition that makes the image upright
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# errors of the machine, not of the file: skipping the file would make the result depend on the moment
RESOURCE_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EINTR)


@dataclass(frozen=True)
class TargetFormat:
    """The format into which every image is converted.

    `size` (height, width). `fit`: crop (fill the size and cut off the rest), pad (the whole image on the background) or
    stretch. `colour`: grey or rgb. `background`: black or white, also behind transparent pixels.
    """

    size: tuple[int, int]
    fit: str
    colour: str
    background: str

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.size, len(MODES[self.colour]))


class Decoded(NamedTuple):
    """The usable files in their order: `pixels` uint8 (n, H, W, C) and `digests` uint64 (n, 2).

    `reasons`: position among all files -> why a file is not usable.
    """

    pixels: np.ndarray
    digests: np.ndarray
    reasons: dict[int, str]


def decode_files(root: str, names: list[str], form: TargetFormat) -> Decoded:
    """Decode the first frame of each file, in its upright orientation; `names` are relative to `root`, or absolute.

    Transparent pixels show the background. 16 bits become 8 by rounding. Colour profiles are not applied.
    """
    pixels = np.empty((len(names), *form.shape), dtype=np.uint8)
    digests = np.empty((len(names), 2), dtype=np.uint64)
    reasons: dict[int, str] = {}
    with _quiet():
        for position, name in enumerate(names):
            row = position - len(reasons)
            try:
                content = _decode_file(os.path.join(root, name), form)  # noqa: PTH118  as in _open
                pixels[row] = np.frombuffer(content, np.uint8).reshape(form.shape)
                digests[row] = digest(content)
            except UnreadableFileError as error:
                reasons[position] = str(error)
    count = len(names) - len(reasons)
    return Decoded(pixels[:count], digests[:count], reasons)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode_content(content: bytes, form: TargetFormat) -> np.ndarray:
    """Decode the content of an image file to uint8 (H, W, C), as `decode_files` does.

    UnreadableFileError with the reason if it cannot be used. Not for several threads: it changes the warning filters.
    """
    if not content:
        raise UnreadableFileError("empty")
    with _quiet():
        return np.frombuffer(_decode(io.BytesIO(content), form), np.uint8).reshape(form.shape)


def _decode_file(path: str, form: TargetFormat) -> bytes:
    with _open(path) as file:
        return _decode(file, form)


def _decode(file: BinaryIO, form: TargetFormat) -> bytes:
    with _errors_explained():
        image = _upright(_load(file, form))
        return _resized(_flattened(image, form), form).tobytes()


def _open(path: str) -> BinaryIO:
    try:
        status = os.stat(path)  # noqa: PTH116  a Path for each of a million small files costs a tenth of the time
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait forever
            raise UnreadableFileError("not a regular file")
        if not status.st_size:
            raise UnreadableFileError("empty")
        return open(path, "rb")  # noqa: PTH123
    except FileNotFoundError:
        raise UnreadableFileError("broken link" if Path(path).is_symlink() else "does not exist") from None
    except OSError as error:
        if error.errno in RESOURCE_ERRORS:
            raise
        raise UnreadableFileError(f"cannot be read ({error.strerror})") from None


@contextlib.contextmanager
def _errors_explained() -> Iterator[None]:
    """Turn all errors that Pillow raises for a broken file into UnreadableFileError."""
    try:
        yield
    except (MemoryError, UnreadableFileError):
        raise
    except UnidentifiedImageError:
        raise UnreadableFileError(f"not a complete image in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableFileError(f"claims more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except Exception as error:  # the decoders raise many kinds
        if isinstance(error, OSError) and error.errno in RESOURCE_ERRORS:
            raise
        raise UnreadableFileError(f"damaged ({' '.join(str(error).split())})") from None


def _load(file: BinaryIO, form: TargetFormat) -> Image.Image:
    image: Any = Image.open(file, formats=FORMATS)
    side = DRAFT_FACTOR * max(form.size)
    if image.format == "JPEG":
        image.draft(None, (side, side))
    image.load()
    return image


def _upright(image: Image.Image) -> Image.Image:
    try:
        transposition = TRANSPOSITIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # broken EXIF data of a complete image
        transposition = None
    return image if transposition is None else image.transpose(transposition)


def _flattened(image: Image.Image, form: TargetFormat) -> Image.Image:
    """An opaque image of 8 bits, grey or RGB."""
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, form.background), image)
    # convert would copy even an image of the right mode
    return image if image.mode == MODES[form.colour] else image.convert(MODES[form.colour])


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    grey = Image.fromarray(((values.clip(0, 65535) + 128) // 257).astype(np.uint8))  # 65535 / 257 = 255
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray((values != image.info["transparency"]).astype(np.uint8) * 255))
    return grey


def _resized(image: Image.Image, form: TargetFormat) -> Image.Image:
    size = form.size[::-1]
    if image.size == size:
        return image
    if form.fit == "stretch":
        return image.resize(size, Image.Resampling.BICUBIC)
    if form.fit == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    if min(round(size[0] * image.height / image.width), round(size[1] * image.width / image.height)) == 0:
        raise UnreadableFileError(f"too narrow to pad ({image.width} x {image.height})")
    return ImageOps.pad(image, size, Image.Resampling.BICUBIC, color=form.background)
