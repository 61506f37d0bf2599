"""Decoding: every colour mode compared with a conversion by hand, and the reasons for unusable files."""

import builtins
import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from cvnlp.data.user_files import UnreadableFileError
from cvnlp.vision.data.decoding import TRANSPOSITIONS, TargetFormat, decode_files

GREY = TargetFormat((6, 5), "stretch", "grey", "black")
RGB = TargetFormat((6, 5), "stretch", "rgb", "black")
WHITE = TargetFormat((6, 5), "stretch", "rgb", "white")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture"


def decode(path: str, form: TargetFormat) -> np.ndarray:
    """Decode one file; UnreadableFileError with the reason if it cannot be used."""
    found = decode_files(str(Path(path).parent), [Path(path).name], form)
    if found.reasons:
        raise UnreadableFileError(found.reasons[0])
    return found.pixels[0]


def saved(path: Path, image: Image.Image, form: str = "PNG", **options: Any) -> str:
    image.save(path, form, **options)
    return str(path)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def luma(pixels: np.ndarray) -> np.ndarray:
    """Grey by ITU-R 601-2."""
    return (pixels @ np.array([0.299, 0.587, 0.114]))[..., None]


# Formats and modes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_pixels_of_lossless_formats_are_those_of_the_file(
    path: Path, noise: Callable[..., np.ndarray], kind: str, options: dict[str, Any]
) -> None:
    pixels = noise(1)
    name = saved(path, Image.fromarray(pixels), kind, **options)
    assert np.array_equal(decode(name, RGB), pixels)
    np.testing.assert_allclose(decode(name, GREY), luma(pixels), atol=0.6)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_close_to_the_image(path: Path, mode: str) -> None:
    smooth = np.add.outer(np.arange(6) * 20, np.arange(5) * 20).astype(np.uint8)
    name = saved(path, Image.fromarray(smooth).convert(mode), "JPEG", quality=95)
    np.testing.assert_allclose(decode(name, RGB), np.repeat(smooth[..., None], 3, 2), atol=6)


def test_cmyk_becomes_colour(path: Path) -> None:
    name = saved(path, Image.new("CMYK", (5, 6), (0, 255, 255, 0)), "JPEG", quality=95)
    np.testing.assert_allclose(decode(name, RGB), np.full((6, 5, 3), (255, 0, 0)), atol=6)


def test_grey_becomes_three_equal_channels(path: Path, noise: Callable[..., np.ndarray]) -> None:
    pixels = noise(1, (6, 5))
    assert np.array_equal(
        decode(saved(path, Image.fromarray(pixels)), RGB), np.broadcast_to(pixels[..., None], (6, 5, 3))
    )


def test_one_bit_is_black_or_white(path: Path, noise: Callable[..., np.ndarray]) -> None:
    bits = noise(1, (6, 5)) > 127
    assert np.array_equal(decode(saved(path, Image.fromarray(bits)), GREY)[..., 0], bits * 255)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_is_applied(path: Path, noise: Callable[..., np.ndarray], kind: str) -> None:
    numbers, palette = noise(1, (6, 5)) % 4, noise(2, (4, 3))
    image = Image.fromarray(numbers, "L").convert("P")
    image.putdata(numbers.ravel().tolist())
    image.putpalette(palette.tobytes())
    assert np.array_equal(decode(saved(path, image, kind), RGB), palette[numbers])


def test_transparent_palette_shows_the_background(path: Path) -> None:
    image = Image.new("P", (5, 6), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 1)
    pixels = decode(saved(path, image, transparency=0), WHITE)
    assert pixels[0, 0].tolist() == [40, 50, 60]
    assert (pixels.reshape(-1, 3)[1:] == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("form", [RGB, WHITE])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_blended_with_the_background(
    path: Path, noise: Callable[..., np.ndarray], mode: str, form: TargetFormat, kind: str
) -> None:
    image = Image.fromarray(noise(3, (6, 5, 4)), "RGBA").convert(mode)
    colour, alpha = np.split(np.asarray(image.convert("RGBA")).astype(float), [3], axis=2)
    ground = 255.0 if form is WHITE else 0.0
    expected = colour * alpha / 255 + ground * (1 - alpha / 255)
    name = saved(path, image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    np.testing.assert_allclose(decode(name, form), expected, atol=1.01)


def test_transparent_colour_shows_the_background(path: Path) -> None:
    image = Image.new("RGB", (5, 6), (9, 9, 9))
    image.putpixel((1, 0), (1, 2, 3))
    pixels = decode(saved(path, image, transparency=(9, 9, 9)), WHITE)
    assert pixels[0, 1].tolist() == [1, 2, 3]
    assert (np.delete(pixels.reshape(-1, 3), 1, 0) == 255).all()


def test_sixteen_bits_are_rounded(path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (6, 5)).astype(np.uint16)
    values.flat[:6] = [0, 128, 129, 256, 385, 65535]
    pixels = decode(saved(path, Image.fromarray(values)), GREY)[..., 0]
    assert np.array_equal(pixels, np.rint(values / 257))


def test_transparent_value_of_sixteen_bits_shows_the_background(path: Path) -> None:
    values = np.full((6, 5), 300, dtype=np.uint16)
    values[2, 3] = 40000
    pixels = decode(saved(path, Image.fromarray(values), transparency=300), WHITE)
    assert pixels[2, 3].tolist() == [round(40000 / 257)] * 3
    assert (np.delete(pixels.reshape(-1, 3), 13, 0) == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_is_decoded(path: Path, kind: str) -> None:
    first, second = Image.new("RGB", (5, 6), "red"), Image.new("RGB", (5, 6), "blue")
    options = {"lossless": True} if kind == "WEBP" else {}
    name = saved(path, first, kind, save_all=True, append_images=[second], **options)
    assert (decode(name, RGB) == (255, 0, 0)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright(path: Path, noise: Callable[..., np.ndarray], orientation: int) -> None:
    image, exif = Image.fromarray(noise(1, (6, 6, 3))), Image.Exif()
    exif[0x0112] = orientation
    name = saved(path, image, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(name)))
    assert np.array_equal(decode(name, TargetFormat((6, 6), "stretch", "rgb", "black")), expected)
    assert (orientation in TRANSPOSITIONS) != np.array_equal(expected, np.asarray(image))


def test_orientation_is_applied_before_cropping(path: Path, noise: Callable[..., np.ndarray]) -> None:
    image, exif = Image.fromarray(noise(1, (5, 6, 3))), Image.Exif()
    exif[0x0112] = 6
    assert np.array_equal(
        decode(saved(path, image, exif=exif), TargetFormat((6, 5), "crop", "rgb", "black")),
        np.rot90(noise(1, (5, 6, 3)), -1),
    )


def test_broken_exif_data_leave_the_image_usable(path: Path, noise: Callable[..., np.ndarray]) -> None:
    assert np.array_equal(decode(saved(path, Image.fromarray(noise(1)), exif=b"Exif\0\0II*\0rubbish"), RGB), noise(1))


# Size -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(12, 12), (30, 7), (7, 30), (3, 4), (1, 1)])
def test_every_fit_equals_that_of_pillow(path: Path, noise: Callable[..., np.ndarray], size: tuple[int, int]) -> None:
    image = Image.fromarray(noise(1, (size[1], size[0], 3)))
    name, way = saved(path, image), Image.Resampling.BICUBIC
    expected = {
        "stretch": image.resize((5, 6), way),
        "crop": ImageOps.fit(image, (5, 6), way),
        "pad": ImageOps.pad(image, (5, 6), way, color="white"),
    }
    for fit, picture in expected.items():
        assert np.array_equal(decode(name, TargetFormat((6, 5), fit, "rgb", "white")), np.asarray(picture))


def test_image_of_the_target_size_keeps_its_pixels(path: Path, noise: Callable[..., np.ndarray]) -> None:
    name = saved(path, Image.fromarray(noise(1)))
    for fit in ("stretch", "crop", "pad"):
        assert np.array_equal(decode(name, TargetFormat((6, 5), fit, "rgb", "white")), noise(1))


def test_padding_has_the_colour_of_the_background(path: Path) -> None:
    name = saved(path, Image.new("L", (20, 10), 100))
    for background, value in (("black", 0), ("white", 255)):
        pixels = decode(name, TargetFormat((8, 8), "pad", "grey", background))[..., 0]
        assert (pixels[[0, 1, 6, 7]] == value).all()
        assert (pixels[2:6] == 100).all()


def test_a_line_is_too_narrow_to_pad(path: Path) -> None:
    name = saved(path, Image.new("L", (1000, 1), 100))
    with pytest.raises(UnreadableFileError, match="too narrow to pad"):
        decode(name, TargetFormat((6, 5), "pad", "grey", "black"))
    assert (decode(name, TargetFormat((6, 5), "crop", "grey", "black")) == 100).all()


def test_large_jpeg_is_close_to_the_reduced_full_image(path: Path) -> None:
    across, down = np.meshgrid(np.linspace(0, 3, 800), np.linspace(0, 3, 600))
    image = Image.fromarray((127 + 100 * np.sin(across**2 + down)).astype(np.uint8))
    name = saved(path, image, "JPEG", quality=95)
    whole = np.asarray(ImageOps.fit(Image.open(name), (32, 32), Image.Resampling.BICUBIC)).astype(int)
    assert abs(decode(name, TargetFormat((32, 32), "crop", "grey", "black"))[..., 0] - whole).max() <= 4


# What cannot be used --------------------------------------------------------------------------------------------------


def refused(path: Path, reason: str, form: TargetFormat = RGB) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadableFileError, match=reason) as error:
            decode(str(path), form)
    assert "\n" not in str(error.value)
    assert "0x" not in str(error.value)  # an address, which differs every time


@pytest.mark.parametrize("content", [b"a text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"BM", bytes(100)])
def test_file_that_is_no_image_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, "not a complete image in PNG, JPEG, WEBP, BMP or GIF|damaged")


@pytest.mark.parametrize("kind", ["TIFF", "PPM", "ICO", "TGA"])
def test_other_formats_are_refused(path: Path, kind: str) -> None:
    saved(path, Image.new("RGB", (16, 16)), kind)
    refused(path, "not a complete image in PNG, JPEG, WEBP, BMP or GIF")


def test_empty_file_is_refused(path: Path) -> None:
    path.write_bytes(b"")
    refused(path, "^empty$")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_file_is_refused(path: Path, noise: Callable[..., np.ndarray], kind: str, share: float) -> None:
    content = io.BytesIO()
    Image.fromarray(noise(1, (64, 64, 3))).save(content, kind)
    path.write_bytes(content.getvalue()[: int(share * len(content.getvalue()))])
    refused(path, "damaged|not a complete image")


@pytest.mark.parametrize(("size", "bits"), [((60000, 60000), 8), ((10000, 10000), 8), ((2**31 - 1, 2**31 - 1), 16)])
def test_decompression_bomb_is_refused_before_it_is_decoded(path: Path, size: tuple[int, int], bits: int) -> None:
    path.write_bytes(png(*size, bits, 2, b""))
    refused(path, f"claims more than {Image.MAX_IMAGE_PIXELS} pixels")


def test_broken_link_is_refused(path: Path) -> None:
    path.symlink_to(path.with_name("absent"))
    refused(path, "^broken link$")


def test_link_to_a_file_is_followed(path: Path, noise: Callable[..., np.ndarray]) -> None:
    saved(path, Image.fromarray(noise(1)))
    (path.parent / "link").symlink_to(path)
    assert np.array_equal(decode(str(path.parent / "link"), RGB), noise(1))


def test_missing_file_is_refused(path: Path) -> None:
    refused(path, "^does not exist$")


def test_pipe_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path)
    refused(path, "^not a regular file$")


def test_file_that_may_not_be_read_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"x")

    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(builtins, "open", closed)
    refused(path, r"cannot be read \(Permission denied\)")


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "Too many open files")])
def test_errors_of_the_machine_do_not_skip_a_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    saved(path, Image.new("L", (5, 6)))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(type(error)):
        decode(str(path), RGB)


def test_usable_files_keep_their_order(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    for number in (0, 2, 3):
        saved(tmp_path / str(number), Image.fromarray(noise(number)))
    (tmp_path / "1").write_bytes(b"")
    found = decode_files(str(tmp_path), ["0", "1", "2", "absent", "3"], RGB)
    assert np.array_equal(found.pixels, np.stack([noise(0), noise(2), noise(3)]))
    assert found.reasons == {1: "empty", 3: "does not exist"}
    assert len(np.unique(found.digests, axis=0)) == 3
