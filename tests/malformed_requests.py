"""Requests that a server must refuse, each with a reason: a fixed list and its variations."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

JSON = {"Content-Type": "application/json"}
PNG = {"Content-Type": "image/png"}


class Malformed(NamedTuple):
    name: str
    path: str
    body: bytes
    headers: dict[str, str]


def picture(form: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, form)
    return content.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def picture_bomb(width: int, height: int, *, rows: int = 0) -> bytes:
    """A small PNG file that claims so many pixels, of which so many rows are in the file."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(rows * (width + 1)), 9))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


def bad_pictures() -> Iterator[tuple[str, bytes]]:
    png, jpeg, webp = picture("PNG"), picture("JPEG"), picture("WEBP")
    yield from {"nothing": b"", "zero": b"\0", "text": b"no picture", "svg": b"<svg/>", "zeros": bytes(1000)}.items()
    yield from {"pdf": b"%PDF-1.7\n", "zip": b"PK\x03\x04" + bytes(50), "tiff": b"II*\0" + bytes(50)}.items()
    yield from {f"png cut after {n}": png[:n] for n in (4, 8, 20, 33, 60, len(png) // 2)}.items()
    yield from {f"jpeg cut after {n}": jpeg[:n] for n in (2, 20, 200, len(jpeg) // 3)}.items()
    yield from {f"webp cut after {n}": webp[:n] for n in (8, 16, 40)}.items()
    yield "png with a wrong checksum", png[:20] + b"\xff" + png[21:]
    sizes = ((60000, 60000), (2**31 - 1, 2**31 - 1), (0, 0), (25_000_001, 1))
    yield from {f"bomb {width} x {height}": picture_bomb(width, height) for width, height in sizes}.items()
    yield "bomb of 30 million true pixels", picture_bomb(6000, 5000, rows=5000)
    yield "png without pixels", picture_bomb(30, 30)
    yield "numbers", np.zeros((12, 12), np.float32).tobytes()


BROKEN_JSON = {
    **{
        "empty": b"",
        "word": b"picture",
        "open": b'{"',
        "cut": b'{"pictures": ["',
        "comma": b"{,}",
        "quote": b"{'a': 1}",
    },
    **{"not utf-8": b'{"prompt": "\xff\xfe"}', "latin-1": '{"prompt": "café"}'.encode("latin-1"), "nul": b"\0"},
    **{"utf-16": '{"prompt": "a"}'.encode("utf-16"), "deep list": b"[" * 100_000, "deep object": b'{"a":' * 100_000},
    **{"deep and closed": b"[" * 50_000 + b"]" * 50_000, "digits": b"9" * 100_000, "two": b"{}{}", "bare nan": b"NaN"},
}
NO_OBJECTS: list[Any] = [None, True, 0, 1.5, "text", [], [1], [[]], [{}]]
WRONG_PICTURES: list[Any] = [
    None,
    True,
    0,
    1e308,
    "text",
    {},
    [],
    [None],
    [1],
    [1.5],
    [[]],
    [{}],
    [""],
    ["!"],
    ["QUJD"],
]
WRONG_TEXTS: list[Any] = [None, True, 0, 1.5, [], ["a"], {}, {"a": "b"}]
WRONG_NUMBERS: list[Any] = [True, "5", [], {}, [5], -1, 1e400, -1e400, float("nan"), 10**30, 10**400]
NUMBERS = ("tokens", "temperature", "top_k", "top_p", "seed")


def requests() -> Iterator[Malformed]:
    """For both kinds of models, of which the path is one."""
    for path in ("/predict", "/generate", "/perplexity"):
        yield from broken_bodies(path)
    yield from to_predict()
    yield from texts()
    yield from numbers()


def broken_bodies(path: str) -> Iterator[Malformed]:
    for name, content in BROKEN_JSON.items():
        yield Malformed(name, path, content, JSON)
    for value in NO_OBJECTS:
        yield of_json(repr(value), path, value)
    for kind in ("text/plain", "multipart/form-data", "", "application/xml", "application/x-www-form-urlencoded"):
        yield Malformed(f"type {kind!r}", path, b'{"text": "a"}', {"Content-Type": kind})


def to_predict() -> Iterator[Malformed]:
    for name, content in bad_pictures():
        yield Malformed(f"body: {name}", "/predict", content, PNG)
        yield of_json(f"base64: {name}", "/predict", {"pictures": [base64.b64encode(content).decode()]})
    for value in WRONG_PICTURES:
        yield of_json(f"pictures: {value!r}", "/predict", {"pictures": value})
    yield of_json("too many pictures", "/predict", {"pictures": ["QUJD"] * 65})
    yield of_json("another key", "/predict", {"pictures": ["QUJD"], "\ud800": 1})


def texts() -> Iterator[Malformed]:
    for path, key, longest in (("/generate", "prompt", 10_000), ("/perplexity", "text", 100_000)):
        for value in WRONG_TEXTS:
            yield of_json(f"{key}: {value!r}", path, {key: value})
        yield of_json("lone surrogate", path, {key: "\ud800"})
        yield of_json("too long", path, {key: "a" * (longest + 1)})
        yield of_json("another key", path, {key: "a", "more": 1})
        yield of_json("a long key", path, {"k" * 100_000: "a"})
    yield of_json("no text", "/perplexity", {"text": ""})
    yield of_json("stream", "/generate", {"stream": "yes"})


def numbers() -> Iterator[Malformed]:
    for name in NUMBERS:
        for value in WRONG_NUMBERS:
            yield of_json(f"{name}: {str(value)[:20]!r}", "/generate", {name: value})
    for name, value in {"tokens": 0, "top_k": 0, "top_p": 0, "seed": 2**32, "temperature": 1e9}.items():
        yield of_json(f"{name}: {value}", "/generate", {name: value})
    for name in ("tokens", "seed", "top_k"):
        yield of_json(f"{name}: 1.5", "/generate", {name: 1.5})


def of_json(name: str, path: str, content: Any) -> Malformed:
    return Malformed(name, path, json.dumps(content).encode(), JSON)
