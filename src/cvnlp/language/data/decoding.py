"""Decode the bytes of a text file, whose encoding may be unknown, to text with newlines as line ends."""

import codecs
from typing import NamedTuple

import charset_normalizer

from cvnlp.data.user_files import UnreadableFileError

# UTF-32 comes first, because the mark of UTF-16 is a prefix of its mark
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
BINARY = "contains NUL characters: a binary file, or UTF-16 without a byte-order mark; then set `encoding`"


class Decoded(NamedTuple):
    """`converted`: whether line ends were converted."""

    text: str
    encoding: str
    converted: bool


def decode(content: bytes, encoding: str | None = None) -> Decoded:
    """Decode by the given encoding, else the byte-order mark, else as UTF-8, else by the best guess.

    UnreadableFileError, with the reason, for what is not text.
    """
    encoding = encoding or _marked_encoding(content) or _detected_encoding(content)
    text = _decode_strictly(content, encoding).removeprefix("\ufeff")
    if not text or text.isspace():
        raise UnreadableFileError("is empty" if not content else "contains only white space")
    if "\0" in text:
        raise UnreadableFileError(BINARY)
    return Decoded(_normalised(text), encoding, "\r" in text)


def _marked_encoding(content: bytes) -> str | None:
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)


def _detected_encoding(content: bytes) -> str:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        if b"\0" in content:
            raise UnreadableFileError(BINARY) from None
        best = charset_normalizer.from_bytes(content).best()
        if best is None:
            raise UnreadableFileError("has no detectable encoding; if it is text, set `encoding`") from None
        return best.encoding
    return "utf-8"


def _decode_strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
        text.encode("utf-8")  # some encodings accept halves of surrogate pairs, which cannot be written
    except UnicodeDecodeError as error:
        place = error.start + len(content) - len(error.object)  # some codecs remove the mark before they count
        line = _normalised(content[:place].decode(encoding, "replace")).count("\n") + 1
        raise UnreadableFileError(f"is not {encoding}: {error.reason} at byte {place} (line {line})") from None
    except UnicodeError as error:
        raise UnreadableFileError(f"is not {encoding}: {error}") from None
    return text


def _normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
