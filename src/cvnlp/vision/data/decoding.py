"""One file of a user's pictures -> uint8 (H, W, C), and why a file cannot be used."""

import contextlib
import errno
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
FINER = 2  # a JPEG is decoded at a fraction of its size where that leaves so many times the pixels wanted

# how the camera was held -> what sets the picture upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# the machine's trouble, not the file's: skipping such a file would make the result depend on the moment
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EINTR)


@dataclass(frozen=True)
class Form:
    """What every picture is made into."""

    size: tuple[int, int]  # height, width
    fit: str  # crop: fill the size and cut what is over; pad: all of it, on the background; stretch
    colour: str
    background: str  # black or white, also behind what is transparent

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.size, len(MODES[self.colour]))


class Decoded(NamedTuple):
    """The usable ones of some files, in order."""

    pixels: np.ndarray  # uint8 (n, H, W, C)
    digests: np.ndarray  # uint64 (n, 2)
    reasons: dict[int, str]  # position among the files -> why it is not among the usable ones


def decode_files(root: str, names: list[str], form: Form) -> Decoded:
    pixels = np.empty((len(names), *form.shape), dtype=np.uint8)
    digests = np.empty((len(names), 2), dtype=np.uint64)
    reasons: dict[int, str] = {}
    with _quiet():
        for position, name in enumerate(names):
            row = position - len(reasons)
            try:
                content = _decode(f"{root}/{name}", form)
                pixels[row] = np.frombuffer(content, np.uint8).reshape(form.shape)
                digests[row] = digest(content)
            except UnreadableFileError as error:
                reasons[position] = str(error)
    count = len(names) - len(reasons)
    return Decoded(pixels[:count], digests[:count], reasons)


def decode(path: str, form: Form) -> np.ndarray:
    """uint8 (H, W, C) of the first frame, upright; UnreadableFileError says why there is none.

    What is transparent shows the background; 16 bits become 8 by rounding. Colour profiles are not applied.
    """
    with _quiet():
        return np.frombuffer(_decode(path, form), np.uint8).reshape(form.shape)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decode(path: str, form: Form) -> bytes:
    with _open(path) as file, _explained():
        image = _upright(_load(file, form))
        return _resized(_flattened(image, form), form).tobytes()


def _open(path: str) -> BinaryIO:
    try:
        status = os.stat(path)  # noqa: PTH116  a Path for each of a million small files costs a tenth of the time
        if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for ever
            raise UnreadableFileError("no regular file")
        if not status.st_size:
            raise UnreadableFileError("empty")
        return open(path, "rb")  # noqa: PTH123
    except FileNotFoundError:
        raise UnreadableFileError("broken link" if Path(path).is_symlink() else "no longer there") from None
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        raise UnreadableFileError(f"cannot be read ({error.strerror})") from None


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Whatever a broken file makes Pillow raise, as UnreadableFileError."""
    try:
        yield
    except (MemoryError, UnreadableFileError):
        raise
    except UnidentifiedImageError:
        raise UnreadableFileError(f"no whole picture in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableFileError(f"states more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except Exception as error:  # the decoders raise a dozen kinds
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            raise
        raise UnreadableFileError(f"damaged ({' '.join(str(error).split())})") from None


def _load(file: BinaryIO, form: Form) -> Image.Image:
    image: Any = Image.open(file, formats=FORMATS)
    side = FINER * max(form.size)
    if image.format == "JPEG":
        image.draft(None, (side, side))
    image.load()
    return image


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # broken notes on a whole picture
        turn = None
    return image if turn is None else image.transpose(turn)


def _flattened(image: Image.Image, form: Form) -> Image.Image:
    """One opaque picture of 8 bits, grey or RGB."""
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, form.background), image)
    # convert would copy also what is right already
    return image if image.mode == MODES[form.colour] else image.convert(MODES[form.colour])


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    grey = Image.fromarray(((values.clip(0, 65535) + 128) // 257).astype(np.uint8))  # 65535 / 257 = 255
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray((values != image.info["transparency"]).astype(np.uint8) * 255))
    return grey


def _resized(image: Image.Image, form: Form) -> Image.Image:
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
